//! Pictures out of an array: in which order its axes lie, and which of its values are black and white.
//!
//! Nothing is guessed in silence. An order of axes that `data.image_shape` does not explain is refused; one that it explains in
//! one way only, such as channels before rows, is read so and said. Without `data.value_range` two ranges are known: 0 to 1, and
//! whole numbers up to 255. Values outside a range that was given are clipped, counted and said.

use ndarray::{Array4, ArrayD};

use crate::error::PipelineError;
use crate::experiment::{ArrayRef, ArraysData};

/// Values beyond the range, as a share of all, from which pictures cannot be what the range says.
const TOO_MANY_CLIPPED: f64 = 0.5;
/// The values that mean black and white where the file does not say it.
const UNIT: [f64; 2] = [0.0, 1.0];
const LEVELS: [f64; 2] = [0.0, 255.0];

/// How the values of one picture lie behind each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Row by row, the channels of a pixel together.
    Rows,
    /// Channel by channel, each row by row.
    Channels,
    /// Channel by channel, each column by column: MATLAB's order.
    Columns,
    /// Column by column, the channels of a pixel together.
    ColumnsOfPixels,
}

/// An array of pictures as it was read.
pub(super) struct Stored<'a> {
    pub(super) reference: &'a ArrayRef,
    pub(super) values: ArrayD<f64>,
}

impl Stored<'_> {
    /// Length of the first axis.
    pub(super) fn n_samples(&self) -> usize {
        self.values.shape().first().copied().unwrap_or(0)
    }
}

/// Pictures (n, height, width, 3) of each of `arrays`, all read in the same range, and what the user should know of how.
pub(super) fn pictures(
    arrays: &[Stored<'_>],
    settings: &ArraysData,
) -> Result<(Vec<Array4<u8>>, Vec<String>), PipelineError> {
    let mut notes = Vec::new();
    let range = range(arrays, settings, &mut notes)?;
    let made = arrays.iter().map(|stored| {
        let order = order(stored, settings)?;
        if order == Order::Channels {
            notes.push(format!("the pictures `{}` lie channel by channel and were read so", stored.reference));
        }
        Ok(levels(&stored.values, settings, order, range))
    });
    let made = made.collect::<Result<_, PipelineError>>()?;
    Ok((made, notes))
}

/// Height, width and channels.
fn size(settings: &ArraysData) -> [usize; 3] {
    let shape = &settings.image_shape;
    [shape[0], shape[1], shape.get(2).copied().unwrap_or(1)]
}

fn order(stored: &Stored<'_>, settings: &ArraysData) -> Result<Order, PipelineError> {
    let [height, width, channels] = size(settings);
    let shape = stored.values.shape();
    // Axes of length 1 order nothing.
    let of_picture: Vec<usize> = shape.iter().skip(1).copied().filter(|&length| length > 1).collect();
    let is = |axes: [usize; 3]| of_picture == axes.into_iter().filter(|&length| length > 1).collect::<Vec<_>>();
    let n_pixels = height * width * channels;
    let transpose = settings.transpose;
    let found = match of_picture.len() {
        _ if stored.values.is_empty() => None,
        0 | 1 if stored.values.len() == shape[0] * n_pixels => {
            Some(if transpose { Order::Columns } else { Order::Rows })
        }
        0 | 1 => None,
        _ if !transpose && is([height, width, channels]) => Some(Order::Rows),
        _ if !transpose && is([channels, height, width]) => Some(Order::Channels),
        _ if transpose && is([channels, width, height]) => Some(Order::Columns),
        _ if transpose && is([width, height, channels]) => Some(Order::ColumnsOfPixels),
        _ => None,
    };
    found.ok_or_else(|| {
        let turned = of_picture.len() > 1 && !transpose && {
            is([width, height, channels]) || is([channels, width, height])
        };
        let remedy = if turned {
            "swap the numbers of `data.image_shape`, or set `data.transpose = true` if every picture lies column by column"
        } else {
            "set `data.image_shape` to the height and width that were stored"
        };
        PipelineError::data(
            format!(
                "`{}` has shape {shape:?}, but `data.image_shape` = {:?} needs {n_pixels} values per sample, in that order",
                stored.reference, settings.image_shape
            ),
            remedy,
        )
    })
}

/// What black and white are in all of `arrays`.
fn range(arrays: &[Stored<'_>], settings: &ArraysData, notes: &mut Vec<String>) -> Result<[f64; 2], PipelineError> {
    for Stored { reference, values } in arrays {
        if let Some(bad) = values.iter().find(|value| !value.is_finite()) {
            let what = format!("`{reference}` holds the value {bad}");
            return Err(PipelineError::data(what, "pictures need finite values"));
        }
    }
    let all = || arrays.iter().flat_map(|stored| &stored.values).copied();
    let (least, most) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    let name = arrays.first().map_or_else(String::new, |stored| stored.reference.to_string());
    let Some(given) = settings.value_range else {
        if least >= UNIT[0] && most <= UNIT[1] {
            return Ok(UNIT);
        }
        if least >= LEVELS[0] && most <= LEVELS[1] && all().all(|value| value.fract() == 0.0) {
            notes.push(format!(
                "the pictures `{name}` hold whole numbers up to {most} and were read as levels 0 to 255"
            ));
            return Ok(LEVELS);
        }
        return Err(PipelineError::data(
            format!(
                "the values of the pictures `{name}` go from {least} to {most}: which are black and white is not known"
            ),
            "set `data.value_range = [black, white]`",
        ));
    };
    let (low, high) = (given[0].min(given[1]), given[0].max(given[1]));
    let outside = all().filter(|value| !(low..=high).contains(value)).count();
    let share = outside as f64 / all().count().max(1) as f64;
    let said = format!(
        "{:.1} % of the values of the pictures `{name}` lie outside `data.value_range` = {given:?}: they go from {least} to {most}",
        100.0 * share
    );
    if share > TOO_MANY_CLIPPED {
        return Err(PipelineError::data(said, "set the range to the values that mean black and white"));
    }
    if outside > 0 {
        notes.push(format!("{said}; they are clipped"));
    }
    Ok(given)
}

fn levels(values: &ArrayD<f64>, settings: &ArraysData, order: Order, [black, white]: [f64; 2]) -> Array4<u8> {
    let [height, width, channels] = size(settings);
    let n = values.shape()[0];
    let rows = values.to_shape((n, height * width * channels)).expect("the lengths were compared");
    let level = |value: f64| ((value - black) / (white - black) * 255.0).round().clamp(0.0, 255.0) as u8;
    Array4::from_shape_fn((n, height, width, 3), |(sample, y, x, channel)| {
        let channel = channel.min(channels - 1);
        let pixel = match order {
            Order::Rows => (y * width + x) * channels + channel,
            Order::Channels => (channel * height + y) * width + x,
            Order::Columns => (channel * width + x) * height + y,
            Order::ColumnsOfPixels => (x * height + y) * channels + channel,
        };
        level(rows[(sample, pixel)])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, IxDyn};
    use std::path::PathBuf;

    fn settings(image_shape: &[usize], transpose: bool, value_range: Option<[f64; 2]>) -> ArraysData {
        let text = format!(
            "responses = \"/a.npy\"\nstimuli = \"/b.npy\"\nimage_shape = {image_shape:?}\ntranspose = {transpose}\n\
             identify_stimuli = false\nnon_finite = \"error\"\n{}",
            value_range.map_or_else(String::new, |range| format!("value_range = {range:?}"))
        );
        toml::from_str(&text).expect("valid")
    }

    fn read(shape: &[usize], settings: &ArraysData) -> Result<(Array4<u8>, Vec<String>), String> {
        let n: usize = shape.iter().product();
        let values = ArrayD::from_shape_vec(IxDyn(shape), (0..n).map(|v| v as f64).collect()).expect("fits");
        read_values(values, settings)
    }

    fn read_values(values: ArrayD<f64>, settings: &ArraysData) -> Result<(Array4<u8>, Vec<String>), String> {
        let reference = ArrayRef { file: PathBuf::from("/b.npy"), variable: None };
        let (mut made, notes) =
            pictures(&[Stored { reference: &reference, values }], settings).map_err(|error| error.to_string())?;
        Ok((made.remove(0), notes))
    }

    #[test]
    fn axes_are_read_as_they_are_named_and_never_scrambled() {
        // Values 0 to 35 of two pictures of 2 × 3 in three channels.
        let range = Some(LEVELS);
        let (rows, notes) = read(&[2, 2, 3, 3], &settings(&[2, 3, 3], false, range)).expect("in that order");
        assert_eq!((rows[[0, 1, 2, 0]], rows[[1, 0, 0, 2]], notes.len()), (15, 20, 0));
        let (channels, notes) = read(&[1, 3, 4, 2], &settings(&[4, 2, 3], false, range)).expect("channels first");
        assert_eq!((channels[[0, 3, 1, 0]], channels[[0, 0, 0, 2]]), (7, 16));
        assert!(notes[0].contains("channel by channel"), "{notes:?}");
        let (flat, _) = read(&[2, 6], &settings(&[2, 3], true, range)).expect("MATLAB's order");
        assert_eq!((flat[[0, 1, 0, 0]], flat[[0, 0, 1, 0]]), (1, 2));
        let (columns, _) = read(&[1, 3, 2], &settings(&[2, 3], true, range)).expect("columns");
        assert_eq!((columns[[0, 1, 0, 0]], columns[[0, 0, 2, 0]]), (1, 4));
    }

    #[test]
    fn axes_of_other_lengths_are_refused_even_when_the_number_of_values_fits() {
        let error = read(&[24, 16, 12], &settings(&[12, 16], false, Some([0.0, 1e4]))).expect_err("turned");
        assert!(error.contains("[24, 16, 12]") && error.contains("swap the numbers"), "{error}");
        read(&[24, 8, 24], &settings(&[12, 16], false, Some([0.0, 1e4]))).expect_err("other lengths");
        read(&[2, 3, 5, 4], &settings(&[4, 5, 3], false, Some([0.0, 1e4]))).expect_err("channels first, turned");
    }

    #[test]
    fn the_range_is_recognised_or_asked_for() {
        let unsaid = settings(&[2, 2], false, None);
        let of = |values: &[f64]| {
            read_values(ArrayD::from_shape_vec(IxDyn(&[1, 4]), values.to_vec()).expect("four"), &unsaid)
        };
        assert_eq!(of(&[0.0, 1.0, 0.5, 0.0]).expect("0 to 1").0[[0, 0, 1, 0]], 255);
        let (levels, notes) = of(&[0.0, 255.0, 17.0, 3.0]).expect("levels");
        assert_eq!(levels[[0, 1, 0, 0]], 17);
        assert!(notes[0].contains("levels 0 to 255"), "{notes:?}");
        for unknown in [[-1.2, 0.3, 2.0, 0.1], [0.0, 254.5, 3.0, 1.0], [0.0, 65535.0, 1.0, 2.0]] {
            let error = of(&unknown).expect_err("not known");
            assert!(error.contains("set `data.value_range"), "{error}");
        }
    }

    #[test]
    fn values_beyond_the_range_are_counted_and_too_many_are_refused() {
        let said = settings(&[2, 2], false, Some(UNIT));
        let of =
            |values: &[f64]| read_values(ArrayD::from_shape_vec(IxDyn(&[1, 4]), values.to_vec()).expect("four"), &said);
        assert!(of(&[0.0, 1.0, 0.5, 0.2]).expect("inside").1.is_empty());
        let notes = of(&[0.0, 1.0, 0.5, 1.5]).expect("one beyond").1;
        assert!(notes[0].starts_with("25.0 % of the values") && notes[0].contains("clipped"), "{notes:?}");
        assert!(of(&[0.0, 255.0, 17.0, 3.0]).expect_err("levels").contains("75.0 %"));
        assert!(of(&[0.0, f64::NAN, 0.5, 0.2]).expect_err("not finite").contains("NaN"));
    }
}
