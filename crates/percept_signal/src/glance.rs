//! What a sound looks like at a glance: its outline, and its mel spectrogram as a gray picture, for figures of reports.
//!
//! Nothing here is measured by; features come from [`crate::mel`] in the convention of their model.

use ndarray::{Array2, Array3};

use crate::mel::{Mel, MelConfig, MelError, Scale};

/// Mels of a picture.
const N_MELS: usize = 96;
/// What is black is so many dB below the loudest.
const RANGE_DB: f64 = 70.0;

/// The least and the largest sample of each of `n` equal stretches.
///
/// # Shapes
/// Samples of one channel → at most `n` pairs; fewer where there are fewer samples.
pub fn outline(sound: &[f32], n: usize) -> Vec<[f32; 2]> {
    let n = n.min(sound.len());
    (0..n)
        .map(|i| {
            let stretch = &sound[i * sound.len() / n..(i + 1) * sound.len() / n];
            stretch.iter().fold([f32::INFINITY, f32::NEG_INFINITY], |[least, most], &v| [least.min(v), most.max(v)])
        })
        .collect()
}

/// The mel spectrogram of a sound up to half of its rate as a gray picture: `columns` wide, the highest mel in the first row,
/// white is the loudest and black 70 dB below it or silence. Frames are 64 ms.
///
/// # Shapes
/// Samples of one channel → (96, `columns`, 3).
///
/// # Errors
/// [`MelError`] for an impossible rate and for a sound without samples.
pub fn picture(sound: &[f32], rate_hz: u32, columns: usize) -> Result<Array3<u8>, MelError> {
    let frame = (rate_hz as usize * 64 / 1000).next_power_of_two().max(64);
    let config = MelConfig {
        frame,
        n_fft: frame,
        hop: (sound.len() / columns.max(1)).clamp(1, frame),
        n_mels: N_MELS,
        log: Scale::Decibel(Some(RANGE_DB)),
        ..MelConfig::librosa(rate_hz)
    };
    let loud: Array2<f32> = Mel::new(config)?.spectrogram(sound)?;
    let most = loud.iter().fold(f32::NEG_INFINITY, |most, &v| most.max(v));
    let n_frames = loud.nrows();
    // A picture of silence is black: its loudest is the floor of the logarithm.
    let is_silent = most <= -99.0;
    Ok(Array3::from_shape_fn((N_MELS, columns, 3), |(row, column, _)| {
        let value = loud[(column * n_frames / columns, N_MELS - 1 - row)];
        let share = if is_silent { 0.0 } else { 1.0 - f64::from(most - value) / RANGE_DB };
        (255.0 * share.clamp(0.0, 1.0)).round() as u8
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_hold_every_extreme() {
        let sound: Vec<f32> = (0..1000).map(|i| ((i * 37) % 101) as f32 / 101.0 - 0.5).collect();
        let drawn = outline(&sound, 7);
        assert_eq!(drawn.len(), 7);
        let most = drawn.iter().fold(f32::MIN, |most, pair| most.max(pair[1]));
        assert_eq!(most, sound.iter().fold(f32::MIN, |most, &v| most.max(v)));
        assert_eq!(outline(&sound[..3], 7), sound[..3].iter().map(|&v| [v, v]).collect::<Vec<_>>());
        assert!(outline(&[], 7).is_empty());
    }

    #[test]
    fn a_tone_is_a_bright_line_where_it_sounds_and_silence_is_black() {
        let tone = |i: usize| (2.0 * std::f64::consts::PI * 440.0 * i as f64 / 16_000.0).sin() as f32;
        let sound: Vec<f32> = (0..32_000).map(|i| if i < 16_000 { 0.0 } else { 0.5 * tone(i) }).collect();
        let drawn = picture(&sound, 16_000, 100).expect("a sound");
        assert_eq!(drawn.dim(), (96, 100, 3));
        let brightest = (0..96).max_by_key(|&row| drawn[(row, 75, 0)]).expect("rows");
        assert!(brightest > 72, "440 Hz lies low: row {brightest}");
        assert!(drawn[(brightest, 75, 0)] > 240 && drawn[(brightest, 20, 0)] == 0);
        assert!(picture(&[0.0; 800], 16_000, 20).expect("a sound").iter().all(|&v| v == 0));
        assert!(picture(&[], 16_000, 20).is_err());
    }
}
