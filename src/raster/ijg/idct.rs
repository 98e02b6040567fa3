//! The inverse DCT of libjpeg 9's `jidctint.c`, of 8 or 16 points in either direction, on whole numbers.

use super::scan::Block;

const CONST_BITS: u32 = 13;
const PASS1_BITS: u32 = 2;

const fn fix(value: f64) -> i64 {
    (value * (1 << CONST_BITS) as f64 + 0.5) as i64
}

/// How many points a direction has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Points {
    Eight,
    Sixteen,
}

impl Points {
    pub fn count(self) -> usize {
        match self {
            Self::Eight => 8,
            Self::Sixteen => 16,
        }
    }

    /// `shift` is what the sums are divided by, `half` is half of that.
    fn apply(self, input: [i64; 8], shift: u32, half: i64) -> [i64; 16] {
        match self {
            Self::Eight => eight(input, shift, half),
            Self::Sixteen => sixteen(input, shift, half),
        }
    }
}

/// Writes the samples of a block to `to`, whose rows are `stride` long.
pub(super) fn samples(block: &Block, steps: &[u16; 64], (wide, high): (Points, Points), to: &mut [u8], stride: usize) {
    let value = |at: usize| i64::from(i32::from(block[at]).wrapping_mul(i32::from(steps[at])));
    let lines = to.chunks_mut(stride).take(high.count());
    if block[1..].iter().all(|coefficient| *coefficient == 0) {
        let sample = limited((value(0) + 4) >> 3);
        lines.for_each(|line| line[..wide.count()].fill(sample));
        return;
    }
    let mut columns = [[0; 16]; 8];
    for (x, column) in columns.iter_mut().enumerate() {
        if (1..8).all(|y| block[8 * y + x] == 0) {
            // What the transform gives, to the bit.
            *column = [value(x) << PASS1_BITS; 16];
            continue;
        }
        let shift = CONST_BITS - PASS1_BITS;
        *column = high.apply(std::array::from_fn(|y| value(8 * y + x)), shift, 1 << (shift - 1));
    }
    for (y, line) in lines.enumerate() {
        let shift = CONST_BITS + PASS1_BITS + 3;
        // libjpeg's first pass leaves numbers of 32 bits.
        let row = std::array::from_fn(|x| i64::from(columns[x][y] as i32));
        let sums = wide.apply(row, shift, 1 << (shift - 1));
        line.iter_mut().zip(&sums[..wide.count()]).for_each(|(to, sum)| *to = limited(*sum));
    }
}

/// Around 128; far beyond the range, numbers wrap as in libjpeg's table.
fn limited(value: i64) -> u8 {
    (((value + 512) & 1023) - 512 + 128).clamp(0, 255) as u8
}

fn eight(i: [i64; 8], shift: u32, half: i64) -> [i64; 16] {
    let z1 = (i[2] + i[6]) * fix(0.541196100);
    let (even2, even3) = (z1 + i[2] * fix(0.765366865), z1 - i[6] * fix(1.847759065));
    let dc = (i[0] << CONST_BITS) + half;
    let (even0, even1) = (dc + (i[4] << CONST_BITS), dc - (i[4] << CONST_BITS));
    let even = [even0 + even2, even1 + even3, even1 - even3, even0 - even2];

    let (z2, z3) = (i[7] + i[3], i[5] + i[1]);
    let z1 = (z2 + z3) * fix(1.175875602);
    let (z2, z3) = (z1 - z2 * fix(1.961570560), z1 - z3 * fix(0.390180644));
    let z1 = -(i[7] + i[1]) * fix(0.899976223);
    let (odd3, odd0) = (i[7] * fix(0.298631336) + z1 + z2, i[1] * fix(1.501321110) + z1 + z3);
    let z1 = -(i[5] + i[3]) * fix(2.562915447);
    let (odd2, odd1) = (i[5] * fix(2.053119869) + z1 + z3, i[3] * fix(3.072711026) + z1 + z2);
    let odd = [odd0, odd1, odd2, odd3];

    let mut out = [0; 16];
    for n in 0..4 {
        (out[n], out[7 - n]) = ((even[n] + odd[n]) >> shift, (even[n] - odd[n]) >> shift);
    }
    out
}

fn sixteen(i: [i64; 8], shift: u32, half: i64) -> [i64; 16] {
    let (even, odd) = (sixteen_even(i, half), sixteen_odd([i[1], i[3], i[5], i[7]]));
    let mut out = [0; 16];
    for n in 0..8 {
        (out[n], out[15 - n]) = ((even[n] + odd[n]) >> shift, (even[n] - odd[n]) >> shift);
    }
    out
}

fn sixteen_even(i: [i64; 8], half: i64) -> [i64; 8] {
    let dc = (i[0] << CONST_BITS) + half;
    let (a, b) = (i[4] * fix(1.306562965), i[4] * fix(0.541196100));
    let z = i[2] - i[6];
    let (z4, z3) = (z * fix(0.275899379), z * fix(1.387039845));
    let c = z3 + i[6] * fix(2.562915447);
    let d = z4 + i[2] * fix(0.899976223);
    let e = z3 - i[2] * fix(0.601344887);
    let f = z4 - i[6] * fix(0.509795579);
    [dc + a + c, dc + b + d, dc - b + e, dc - a + f, dc - a - f, dc - b - e, dc + b - d, dc + a - c]
}

fn sixteen_odd([z1, z2, z3, z4]: [i64; 4]) -> [i64; 8] {
    let mut t1 = (z1 + z2) * fix(1.353318001);
    let mut t2 = (z1 + z3) * fix(1.247225013);
    let mut t3 = (z1 + z4) * fix(1.093201867);
    let mut t10 = (z1 - z4) * fix(0.897167586);
    let mut t11 = (z1 + z3) * fix(0.666655658);
    let mut t12 = (z1 - z2) * fix(0.410524528);
    let t0 = t1 + t2 + t3 - z1 * fix(2.286341144);
    let t13 = t10 + t11 + t12 - z1 * fix(1.835730603);
    let z = (z2 + z3) * fix(0.138617169);
    t1 += z + z2 * fix(0.071888074);
    t2 += z - z3 * fix(1.125726048);
    let z = (z3 - z2) * fix(1.407403738);
    t11 += z - z3 * fix(0.766367282);
    t12 += z + z2 * fix(1.971951411);
    let z = -(z2 + z4) * fix(0.666655658);
    t1 += z;
    t3 += z + z4 * fix(1.065388962);
    let z = -(z2 + z4) * fix(1.247225013);
    t10 += z + z4 * fix(3.141271809);
    t12 += z;
    let z = -(z3 + z4) * fix(1.353318001);
    t2 += z;
    t3 += z;
    let z = (z4 - z3) * fix(0.410524528);
    t10 += z;
    t11 += z;
    [t0, t1, t2, t3, t10, t11, t12, t13]
}
