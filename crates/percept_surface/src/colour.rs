//! Colours for maps: computed in OKLab, so that equal steps of a value are equal steps for the eye, and safe for the colour-blind.
//!
//! Sequential maps climb in lightness all the way; the diverging one parts blue from orange at a light middle. Neither needs red told
//! from green. Categories use the eight colours that Okabe and Ito proposed for all kinds of colour vision, in order of their contrast;
//! ordered categories (the layers of a model) are steps of a sequential map.
//!
//! # References
//! Ottosson 2020, OKLab, <https://bottosson.github.io/posts/oklab>; Okabe & Ito 2008, <https://jfly.uni-koeln.de/color>.

/// Red, green and blue, 0 to 255.
pub type Rgb = [u8; 3];

/// A way from numbers to colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColourMap {
    /// From violet through red to yellow, for values from 0 upwards.
    #[default]
    Ember,
    /// From deep blue through green to yellow, for ordered things such as layers.
    Lagoon,
    /// Blue below, orange above a light middle, for values on both sides of 0.
    BlueOrange,
}

impl ColourMap {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 3] =
        [("ember", Self::Ember), ("lagoon", Self::Lagoon), ("blue-orange", Self::BlueOrange)];

    /// The map called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(other, _)| *other == name).map(|&(_, map)| map)
    }

    /// The colour at `share` of the way, 0 to 1; beyond the ends it stays as at the end.
    pub fn at(self, share: f32) -> Rgb {
        let s = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        match self {
            Self::Ember => oklch(0.36 + 0.57 * s, 0.13 + 0.06 * (std::f32::consts::PI * s).sin(), -58.0 + 160.0 * s),
            Self::Lagoon => oklch(0.34 + 0.56 * s, 0.12 + 0.03 * (std::f32::consts::PI * s).sin(), 282.0 - 172.0 * s),
            Self::BlueOrange => {
                let side = 2.0 * s - 1.0;
                let hue = if side < 0.0 { 255.0 } else { 52.0 };
                oklch(0.93 - 0.43 * side.abs(), 0.17 * side.abs().powf(0.8), hue)
            }
        }
    }

    /// 256 colours from one end to the other.
    pub fn table(self) -> Vec<Rgb> {
        (0..256).map(|i| self.at(i as f32 / 255.0)).collect()
    }
}

/// The colours of unordered categories; more than eight begin again, lighter.
pub fn category(number: usize) -> Rgb {
    const OKABE_ITO: [Rgb; 8] = [
        [0, 114, 178],
        [230, 159, 0],
        [0, 158, 115],
        [204, 121, 167],
        [86, 180, 233],
        [213, 94, 0],
        [240, 228, 66],
        [120, 120, 120],
    ];
    let colour = OKABE_ITO[number % 8];
    let lighter = (number / 8) as f32 * 0.35;
    colour.map(|channel| (f32::from(channel) + (255.0 - f32::from(channel)) * lighter.min(0.7)).round() as u8)
}

/// The colour of step `number` of `n` ordered ones.
pub fn ordered(number: usize, n: usize) -> Rgb {
    ColourMap::Lagoon.at(if n > 1 { number as f32 / (n - 1) as f32 } else { 0.5 })
}

/// The colour of this lightness (0 to 1), chroma and hue in degrees; chroma is lowered until a screen can show it.
pub fn oklch(lightness: f32, chroma: f32, hue_degrees: f32) -> Rgb {
    let (sin, cos) = hue_degrees.to_radians().sin_cos();
    let (mut low, mut high) = (0.0, chroma);
    let fits = |chroma: f32| {
        to_linear(lightness, chroma * cos, chroma * sin).iter().all(|&channel| (-1e-4..=1.0001).contains(&channel))
    };
    if !fits(chroma) {
        for _ in 0..20 {
            let middle = 0.5 * (low + high);
            if fits(middle) { low = middle } else { high = middle }
        }
        high = low;
    }
    to_linear(lightness, high * cos, high * sin).map(encode)
}

/// OKLab to linear sRGB; the matrices are those of Ottosson's definition.
fn to_linear(l: f32, a: f32, b: f32) -> [f32; 3] {
    let long = (l + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let medium = (l - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let short = (l - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    [
        4.076_741_7 * long - 3.307_711_6 * medium + 0.230_969_94 * short,
        -1.268_438 * long + 2.609_757_4 * medium - 0.341_319_4 * short,
        -0.004_196_086_3 * long - 0.703_418_6 * medium + 1.707_614_7 * short,
    ]
}

fn encode(linear: f32) -> u8 {
    let linear = linear.clamp(0.0, 1.0);
    let curved = if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
    (curved * 255.0).round() as u8
}

/// The lightness of a colour in OKLab.
pub fn lightness(colour: Rgb) -> f32 {
    let [r, g, b] = colour.map(|channel| {
        let value = f32::from(channel) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    let long = (0.412_221_46 * r + 0.536_332_55 * g + 0.051_445_995 * b).cbrt();
    let medium = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
    let short = (0.088_302_46 * r + 0.281_718_85 * g + 0.629_978_7 * b).cbrt();
    0.210_454_26 * long + 0.793_617_8 * medium - 0.004_072_047 * short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lightness_climbs_in_equal_steps() {
        for map in [ColourMap::Ember, ColourMap::Lagoon] {
            let all: Vec<f32> = map.table().into_iter().map(lightness).collect();
            let step = (all[255] - all[0]) / 255.0;
            assert!(step > 0.002);
            for window in all.windows(17) {
                let got = (window[16] - window[0]) / 16.0;
                assert!((got / step - 1.0).abs() < 0.25, "{map:?}: {got} against {step}");
            }
        }
        let middle = lightness(ColourMap::BlueOrange.at(0.5));
        assert!([0.0, 1.0].iter().all(|&end| lightness(ColourMap::BlueOrange.at(end)) < middle - 0.3));
    }

    #[test]
    fn grey_is_grey_and_categories_differ() {
        let [r, g, b] = oklch(0.6, 0.0, 120.0);
        assert!(r.abs_diff(g) <= 1 && g.abs_diff(b) <= 1);
        let all: std::collections::BTreeSet<Rgb> = (0..16).map(category).collect();
        assert_eq!(all.len(), 16);
        assert_eq!(ColourMap::named("ember"), Some(ColourMap::Ember));
    }
}
