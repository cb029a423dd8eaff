//! Letters made of strokes, our own, for pictures in PNG: no font file is needed and the bytes are the same everywhere.
//!
//! A letter stands on a grid of 4 × 6 (descenders reach 8), written as digits: pairs of x and y, strokes divided by spaces.

/// How far letters are apart, in units of the grid.
const GAP: f32 = 1.4;
/// The height of capitals in units of the grid.
const CAPITAL: f32 = 6.0;

/// The strokes and the width of `letter`; a box for letters that are not here.
fn letter(letter: char) -> (&'static str, f32) {
    let narrow = matches!(letter, 'i' | 'l' | '.' | ',' | ':' | ';' | '!' | '|' | '\'');
    let middle =
        matches!(letter, 'j' | 't' | 'f' | 'r' | '(' | ')' | '[' | ']' | '1' | ' ' | '"' | 'I' | '²' | '°' | '·');
    let strokes = match letter {
        'A' => "062046 1434",
        'B' => "0600304152433303 3344453506",
        'C' => "4130100105163645",
        'D' => "060020414526 2606",
        'E' => "40000646 0333",
        'F' => "400006 0333",
        'G' => "413010010516364543 4323",
        'H' => "0006 4046 0343",
        'I' => "0020 1016 0626",
        'J' => "404536160504",
        'K' => "0006 4003 0346",
        'L' => "000646",
        'M' => "0600234046",
        'N' => "06004640",
        'O' => "10304145361605 05011030 1001",
        'P' => "060030414233 3303",
        'Q' => "103041453616050110 2446",
        'R' => "060030414233 3303 2346",
        'S' => "4130100102133344453616 1605",
        'T' => "0040 2026",
        'U' => "000516364540",
        'V' => "002640",
        'W' => "0016233640",
        'X' => "0046 4006",
        'Y' => "002340 2326",
        'Z' => "00400646",
        'a' => "12323346 4332 43454636160504132343",
        'b' => "0006 0312324345361605",
        'c' => "4332120305163645",
        'd' => "4046 4332120305163645",
        'e' => "04444332120305163646",
        'f' => "20101116 0222",
        'g' => "4247381807 4332120305163645",
        'h' => "0006 03123243 4346",
        'i' => "0206 0000",
        'j' => "222718 2020",
        'k' => "0006 3204 1436",
        'l' => "000516",
        'm' => "0206 03122326 23324346",
        'n' => "0206 03123243 4346",
        'o' => "123243453616050312",
        'p' => "0208 0312324345361605",
        'q' => "4248 4332120305163645",
        'r' => "0206 031222",
        's' => "43321203143445361605",
        't' => "100516 26 0222",
        'u' => "020516364542 4546",
        'v' => "022642",
        'w' => "0216243642",
        'x' => "0246 4206",
        'y' => "0226 421808",
        'z' => "02420646",
        '0' => "103041453616050110 3314",
        '1' => "011016",
        '2' => "01103041420646",
        '3' => "011030414233 13334445361605",
        '4' => "3036 300444",
        '5' => "400002324345361605",
        '6' => "413010010516364544331304",
        '7' => "004016",
        '8' => "103041423313020110 1304051636454433",
        '9' => "051636454130100102133342",
        '.' => "0506",
        ',' => "0507",
        ':' => "0203 0506",
        ';' => "0203 0507",
        '!' => "0004 0606",
        '?' => "01103041422324 2626",
        '-' | '–' | '\u{2212}' => "0343",
        '+' => "0343 2125",
        '=' => "0242 0444",
        '<' => "410345",
        '>' => "014305",
        '/' => "4006",
        '\\' => "0046",
        '|' => "0007",
        '(' => "20010516 1626",
        ')' => "002125 2506",
        '[' => "20000626",
        ']' => "00202606",
        '_' => "0646",
        '*' => "2125 0143 4103",
        '×' => "0145 4105",
        '%' => "4006 0010110100 3545463635",
        '#' => "1016 3036 0242 0444",
        '@' => "4434232242 4245 4130100105163646",
        '&' => "4601102130030405162643",
        '\'' => "0001",
        '"' => "0001 2021",
        '°' => "0020220200",
        '·' => "0303",
        '²' => "0010200222",
        'α' => "4226160503122645",
        'σ' => "421203051636454322",
        'µ' | 'μ' => "0208 05163645 4246",
        '→' => "0343 324334",
        '≥' => "014305 0646",
        '≤' => "410345 0646",
        ' ' => "",
        _ => "0040460600",
    };
    (
        strokes,
        if narrow {
            0.6
        } else if middle {
            2.2
        } else {
            4.0
        },
    )
}

/// The width of `text` where capitals are `height` high.
pub fn width(text: &str, height: f32) -> f32 {
    let units: f32 = text.chars().map(|c| letter(c).1 + GAP).sum();
    (units - GAP).max(0.0) * height / CAPITAL
}

/// The strokes of `text`, each a list of points; the upper left corner of the first capital is at (`x`, `y`).
pub fn strokes(text: &str, x: f32, y: f32, height: f32) -> Vec<Vec<[f32; 2]>> {
    let unit = height / CAPITAL;
    let mut pen = x;
    let mut out = Vec::new();
    for c in text.chars() {
        let (shape, width) = letter(c);
        out.extend(
            shape_strokes(shape)
                .map(|stroke| stroke.into_iter().map(|[px, py]| [pen + px * unit, y + py * unit]).collect::<Vec<_>>()),
        );
        pen += (width + GAP) * unit;
    }
    out
}

/// Points of each stroke of a shape.
fn shape_strokes(shape: &'static str) -> impl Iterator<Item = Vec<[f32; 2]>> {
    shape.split(' ').filter(|word| !word.is_empty()).map(|word| {
        let digits: Vec<f32> = word.bytes().map(|byte| f32::from(byte.wrapping_sub(b'0'))).collect();
        digits.as_chunks::<2>().0.to_vec()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_side_by_side_within_their_width() {
        let all = strokes("Voxel r = 0.25", 10.0, 5.0, 12.0);
        let right = all.iter().flatten().map(|point| point[0]).fold(0.0, f32::max);
        assert!(right <= 10.0 + width("Voxel r = 0.25", 12.0) + 2.0, "{right}");
        assert!(all.iter().flatten().all(|point| point[0] >= 10.0 && (5.0..=21.5).contains(&point[1])));
    }

    #[test]
    fn every_letter_has_whole_points() {
        let ascii = (33u8..127).map(char::from).chain("×²°·µσα→≥≤−–".chars());
        for c in ascii.filter(|&c| !"`$^{}~".contains(c)) {
            let (shape, _) = letter(c);
            assert!(shape.split(' ').all(|word| word.len().is_multiple_of(2)), "`{c}` is {shape}");
            assert!(shape != "0040460600", "`{c}` is a box");
        }
    }
}
