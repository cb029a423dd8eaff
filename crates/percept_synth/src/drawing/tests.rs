//! What the drawings promise: same seed same picture, captions that tell the truth, attributes that can be seen.

use std::collections::BTreeSet;

use super::*;

fn scene() -> Scene {
    Scene {
        object: Object::Ball,
        color: Color::Red,
        size: Size::Large,
        place: Place::Left,
        background: Background::Snow,
        time: Time::Day,
    }
}

fn mean_difference(a: Scene, b: Scene) -> f64 {
    let (a, b) = (Drawing::Scene(a).render(Seed::new(5)), Drawing::Scene(b).render(Seed::new(5)));
    a.iter().zip(&b).map(|(&a, &b)| f64::from(a.abs_diff(b))).sum::<f64>() / a.len() as f64
}

#[test]
fn the_same_seed_gives_the_same_drawing_and_another_seed_another_one() {
    for index in 0..50 {
        let seed = Seed::new(11).at(index);
        let drawing = Drawing::random(seed);
        assert_eq!(drawing, Drawing::random(seed));
        assert_eq!(drawing.render(seed), drawing.render(seed));
        assert_eq!(drawing.captions(seed), drawing.captions(seed));
        assert_ne!(drawing.render(seed), drawing.render(seed.named("other")));
    }
}

#[test]
fn captions_are_five_name_object_and_color_and_nearly_always_the_rest() {
    let known: BTreeSet<String> = vocabulary().into_iter().collect();
    assert!(known.len() <= 130, "{} words", known.len());
    let (mut n_scenes, mut n_captions, mut n_complete, mut used) = (0, 0, 0, BTreeSet::new());
    for index in 0..6_000 {
        let seed = Seed::new(3).at(index);
        let drawing = Drawing::random(seed);
        let captions = drawing.captions(seed);
        assert_eq!(captions.len(), N_CAPTIONS);
        for caption in &captions {
            let words: Vec<&str> = caption.split(' ').collect();
            for word in &words {
                assert!(known.contains(*word), "`{word}` of `{caption}` is not in the vocabulary");
                used.insert((*word).to_owned());
            }
            if let Drawing::Scene(scene) = drawing {
                assert!(words.contains(&scene.object.name()) && words.contains(&scene.color.name()), "`{caption}`");
                n_captions += 1;
                n_complete += usize::from(words.len() >= 9);
                let named = drawing.named_in(caption).expect("a scene");
                let count = named.iter().filter(|named| **named).count();
                assert!(named[0] && named[1] && count == if words.len() >= 9 { 6 } else { 3 }, "`{caption}` {named:?}");
            }
        }
        n_scenes += usize::from(matches!(drawing, Drawing::Scene(_)));
        let different: BTreeSet<&String> = captions.iter().collect();
        assert_eq!(different.len(), N_CAPTIONS, "{captions:?}");
    }
    assert!((n_scenes as f64 / 6_000.0 - SCENE_SHARE).abs() < 0.02);
    assert!(n_complete as f64 / f64::from(n_captions) >= 0.95);
    assert_eq!(used, known, "the vocabulary holds exactly the words that occur");
}

#[test]
fn each_attribute_changes_the_picture() {
    let plain = scene();
    assert!(mean_difference(plain, Scene { object: Object::House, ..plain }) > 5.0);
    assert!(mean_difference(plain, Scene { color: Color::Blue, ..plain }) > 5.0);
    assert!(mean_difference(plain, Scene { size: Size::Small, ..plain }) > 5.0);
    assert!(mean_difference(plain, Scene { place: Place::Right, ..plain }) > 5.0);
    assert!(mean_difference(plain, Scene { background: Background::Field, ..plain }) > 10.0);
    assert!(mean_difference(plain, Scene { time: Time::Night, ..plain }) > 25.0);
}

#[test]
fn place_moves_the_centre_of_mass_of_the_object_and_size_its_area() {
    // Red pixels of a red ball in snow: centre column and count, over the jitter of 20 seeds.
    let measure = |place, size, index| {
        let picture = Drawing::Scene(Scene { size, place, ..scene() }).render(Seed::new(index));
        let (mut sum, mut n) = (0.0, 0.0);
        for ((row, column, channel), &red) in picture.indexed_iter() {
            if channel == 0 && red > 150 && picture[[row, column, 1]] < 100 {
                sum += column as f64;
                n += 1.0;
            }
        }
        (sum / n, n)
    };
    for index in 0..20 {
        for (size, step) in [(Size::Small, 12.0), (Size::Large, 7.0)] {
            let [left, middle, right] =
                [Place::Left, Place::Middle, Place::Right].map(|place| measure(place, size, index).0);
            assert!(left + step < middle && middle + step < right, "{left} {middle} {right}");
        }
        assert!(measure(Place::Middle, Size::Large, index).1 > 2.0 * measure(Place::Middle, Size::Small, index).1);
    }
}

#[test]
fn figures_are_black_and_white_and_polarity_inverts_them() {
    for glyph in Glyph::all() {
        let bright = |polarity| {
            let figure = Figure { shape: Shape::Glyph(glyph), polarity };
            let picture = Drawing::Figure(figure).render(Seed::new(1));
            picture.iter().map(|&value| f64::from(value)).sum::<f64>() / (255 * picture.len()) as f64
        };
        let (white_ink, black_ink) = (bright(Polarity::WhiteOnBlack), bright(Polarity::BlackOnWhite));
        assert!((0.08..0.5).contains(&white_ink), "`{}` covers {white_ink}", glyph.character());
        assert!((white_ink + black_ink - 1.0).abs() < 0.01);
    }
}

#[test]
fn glyphs_survive_serialisation_and_know_their_number() {
    for (index, glyph) in Glyph::all().enumerate() {
        assert_eq!(glyph.index(), index);
        let text = serde_json::to_string(&Drawing::Figure(Figure {
            shape: Shape::Glyph(glyph),
            polarity: Polarity::WhiteOnBlack,
        }));
        let text = text.expect("a drawing has a JSON form");
        let back: Drawing = serde_json::from_str(&text).expect("its own JSON is read back");
        assert!(matches!(back, Drawing::Figure(Figure { shape: Shape::Glyph(other), .. }) if other == glyph));
    }
    assert!(serde_json::from_str::<Glyph>("\"!\"").is_err());
}
