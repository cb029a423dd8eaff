//! The six surroundings by day and by night: smooth, nearly fixed, and different on the left and on the right.
//!
//! Large areas are gradients and what detail there is (stars, waves, lit windows) stays where it is, so a small autoencoder
//! spends its capacity on the object. Sun and lamp are on the right, moon and window on the left: position can be told from
//! the surroundings alone.

use percept_core::seed::Stream;
use rand::Rng;

use super::canvas::{Canvas, Rgb};
use super::words::{Background, Time};

const SIDE: f32 = super::size::SIDE as f32;

/// Fills the canvas with the surroundings; `stream` moves the horizon by a pixel and the light by a few grey levels.
pub(super) fn draw(canvas: &mut Canvas, background: Background, time: Time, stream: &mut Stream) {
    let shade = stream.random_range(-5.0f32..5.0);
    let rise = stream.random_range(-1.0f32..1.0);
    let painter = Painter { time, shade, rise };
    match background {
        Background::Field => painter.field(canvas),
        Background::Beach => painter.beach(canvas),
        Background::Sea => painter.sea(canvas),
        Background::Snow => painter.snow(canvas),
        Background::Room => painter.room(canvas),
        Background::City => painter.city(canvas),
    }
}

struct Painter {
    time: Time,
    shade: f32,
    rise: f32,
}

impl Painter {
    /// The colour for the time of day, in this drawing's light.
    fn pick(&self, day: (u8, u8, u8), night: (u8, u8, u8)) -> Rgb {
        let (r, g, b) = match self.time {
            Time::Day => day,
            Time::Night => night,
        };
        Rgb(f32::from(r), f32::from(g), f32::from(b)).shift(self.shade)
    }

    fn sky(&self, canvas: &mut Canvas, bottom: f32, day: [(u8, u8, u8); 2], night: [(u8, u8, u8); 2]) {
        canvas.gradient(0.0, bottom, self.pick(day[0], night[0]), self.pick(day[1], night[1]));
        match self.time {
            Time::Day => canvas.ellipse(54.0, 9.0, 5.5, 5.5, Rgb(255.0, 238.0, 130.0), 1.0),
            Time::Night => {
                canvas.ellipse(9.0, 9.0, 5.5, 5.5, Rgb(246.0, 240.0, 206.0), 1.0);
                for (x, y) in [(22.5, 6.5), (33.5, 12.5), (44.5, 5.5), (56.5, 14.5), (20.5, 19.5), (50.5, 22.5)] {
                    canvas.ellipse(x, y, 0.9, 0.9, Rgb(236.0, 236.0, 220.0), 1.0);
                }
            }
        }
    }

    fn field(&self, canvas: &mut Canvas) {
        let horizon = 36.0 + self.rise;
        self.sky(canvas, horizon + 2.0, [(112, 184, 244), (206, 232, 250)], [(10, 12, 42), (42, 46, 96)]);
        canvas.ellipse(10.0, horizon + 6.0, 32.0, 15.0, self.pick((128, 186, 96), (26, 62, 50)), 1.0);
        canvas.gradient(
            horizon,
            SIDE,
            self.pick((156, 206, 98), (38, 82, 54)),
            self.pick((104, 168, 66), (20, 50, 36)),
        );
    }

    fn beach(&self, canvas: &mut Canvas) {
        let horizon = 28.0 + self.rise;
        self.sky(canvas, horizon, [(104, 190, 246), (214, 238, 250)], [(12, 14, 46), (50, 50, 104)]);
        canvas.gradient(
            horizon,
            50.0,
            self.pick((36, 140, 186), (20, 42, 88)),
            self.pick((96, 200, 206), (40, 76, 116)),
        );
        let shore = [(0.0, horizon + 19.0), (24.0, horizon + 15.0), (64.0, horizon + 5.0), (64.0, 64.0), (0.0, 64.0)];
        let (above, below) = (self.pick((248, 232, 184), (152, 136, 116)), self.pick((232, 208, 150), (112, 98, 88)));
        canvas.gradient_polygon(&shore, horizon + 5.0, SIDE, above, below);
        canvas.stroke(&shore[..3], self.pick((250, 252, 252), (150, 164, 186)), 1.6);
    }

    fn sea(&self, canvas: &mut Canvas) {
        let horizon = 26.0 + self.rise;
        self.sky(canvas, horizon, [(128, 196, 240), (220, 238, 246)], [(10, 12, 40), (40, 46, 96)]);
        canvas.ellipse(53.0, horizon + 1.0, 10.0, 6.0, self.pick((84, 132, 88), (18, 40, 44)), 1.0);
        canvas.gradient(horizon, SIDE, self.pick((44, 142, 190), (22, 50, 98)), self.pick((14, 78, 140), (8, 18, 50)));
        let foam = self.pick((170, 214, 232), (78, 112, 160));
        for (x, y) in [(9.0, 34.0), (40.0, 36.0), (24.0, 44.0), (56.0, 47.0), (7.0, 56.0), (38.0, 60.0)] {
            canvas.stroke(&[(x - 4.0, y), (x - 1.5, y - 1.4), (x + 1.5, y - 1.4), (x + 4.0, y)], foam, 1.3);
        }
    }

    fn snow(&self, canvas: &mut Canvas) {
        let horizon = 37.0 + self.rise;
        self.sky(canvas, horizon, [(168, 194, 222), (222, 230, 240)], [(22, 26, 58), (70, 76, 116)]);
        canvas.polygon(
            &[(-8.0, horizon + 1.0), (15.0, 11.0), (40.0, horizon + 1.0)],
            self.pick((126, 144, 174), (96, 106, 146)),
        );
        canvas.polygon(
            &[(7.0, 19.5), (15.0, 11.0), (23.0, 19.0), (19.0, 21.5), (15.0, 18.5), (11.0, 22.0)],
            self.pick((250, 252, 255), (164, 176, 208)),
        );
        canvas.gradient(
            horizon,
            SIDE,
            self.pick((250, 252, 255), (158, 172, 208)),
            self.pick((214, 226, 242), (112, 128, 172)),
        );
    }

    fn room(&self, canvas: &mut Canvas) {
        let floor = 46.0 + self.rise;
        canvas.gradient(0.0, floor, self.pick((240, 222, 190), (92, 76, 92)), self.pick((226, 200, 164), (70, 56, 74)));
        canvas.gradient(floor, SIDE, self.pick((176, 124, 82), (74, 52, 48)), self.pick((146, 98, 64), (52, 36, 36)));
        canvas.rect(0.0, floor - 2.0, SIDE, floor, self.pick((252, 240, 220), (116, 98, 106)));
        let frame = self.pick((132, 88, 56), (48, 34, 36));
        canvas.rect(4.0, 5.0, 24.0, 27.0, frame);
        canvas.rect(6.0, 7.0, 22.0, 25.0, self.pick((150, 208, 248), (14, 16, 50)));
        if self.time == Time::Night {
            canvas.ellipse(10.0, 12.0, 2.6, 2.6, Rgb(246.0, 240.0, 206.0), 1.0);
        }
        canvas.rect(13.2, 6.0, 14.8, 26.0, frame);
        canvas.rect(5.0, 15.2, 23.0, 16.8, frame);
        canvas.stroke(&[(51.0, 0.0), (51.0, 6.0)], frame, 1.3);
        if self.time == Time::Night {
            canvas.ellipse(51.0, 13.0, 11.0, 9.0, Rgb(255.0, 226.0, 140.0), 0.22);
            canvas.ellipse(51.0, 13.0, 3.6, 2.6, Rgb(255.0, 240.0, 178.0), 1.0);
        }
        canvas
            .polygon(&[(47.5, 5.5), (54.5, 5.5), (59.0, 12.5), (43.0, 12.5)], self.pick((196, 84, 66), (150, 66, 54)));
    }

    fn city(&self, canvas: &mut Canvas) {
        let street = 46.0 + self.rise;
        self.sky(canvas, street, [(150, 198, 236), (226, 234, 240)], [(14, 14, 42), (58, 52, 96)]);
        let near = self.pick((150, 152, 168), (34, 36, 64));
        let far = self.pick((184, 188, 202), (46, 46, 80));
        for (left, right, top, color) in [
            (0.0, 10.0, 35.0, near),
            (9.0, 21.0, 30.0, far),
            (20.0, 31.0, 33.0, near),
            (30.0, 42.0, 23.0, far),
            (41.0, 51.0, 27.0, near),
            (50.0, 64.0, 15.0, far),
        ] {
            canvas.rect(left, top, right, street, color);
        }
        let lit = self.pick((222, 232, 242), (246, 214, 118));
        for (x, y) in [
            (12.5, 33.5),
            (17.5, 33.5),
            (33.5, 26.5),
            (38.5, 26.5),
            (44.5, 30.5),
            (53.5, 18.5),
            (60.5, 18.5),
            (53.5, 25.5),
            (60.5, 25.5),
        ] {
            canvas.rect(x - 1.3, y - 1.5, x + 1.3, y + 1.5, lit);
        }
        canvas.gradient(
            street,
            SIDE,
            self.pick((134, 134, 142), (54, 54, 68)),
            self.pick((108, 108, 118), (38, 38, 50)),
        );
        canvas.rect(0.0, street, SIDE, street + 2.0, self.pick((206, 204, 200), (92, 92, 106)));
    }
}
