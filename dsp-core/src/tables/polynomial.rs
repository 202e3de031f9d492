//! Roots and products of polynomials, for the design of filters.

use rustfft::num_complex::Complex64;

/// The complex square root with a real part that is not negative, by libm.
pub(crate) fn sqrt(x: Complex64) -> Complex64 {
    let modulus = libm::hypot(x.re, x.im);
    let re = libm::sqrt(((modulus + x.re) / 2.0).max(0.0));
    let im = libm::sqrt(((modulus - x.re) / 2.0).max(0.0));
    Complex64::new(re, if x.im < 0.0 { -im } else { im })
}

/// The product of two polynomials, both with the coefficient of the lowest power first.
pub(crate) fn product(a: &[Complex64], b: &[Complex64]) -> Vec<Complex64> {
    let mut product = vec![Complex64::default(); a.len() + b.len() - 1];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            product[i + j] += x * y;
        }
    }
    product
}

/// All roots of `sum c[k] x^k` by Aberth's iteration, in ascending order of their real parts; the
/// conjugate above the real axis comes before the one below.
///
/// The coefficients are real, the last is not 0, and no root is double.
pub(crate) fn roots(coefficients: &[f64]) -> Vec<Complex64> {
    let degree = coefficients.len() - 1;
    let lead = coefficients[degree].abs();
    // Cauchy's bound of the moduli.
    let radius = 1.0
        + coefficients[..degree]
            .iter()
            .fold(0.0f64, |bound, c| bound.max(c.abs() / lead));
    // On a circle, off the real axis, so that no two start as conjugates.
    let mut roots: Vec<Complex64> = (0..degree)
        .map(|k| {
            let angle = std::f64::consts::TAU * k as f64 / degree as f64 + 0.4;
            Complex64::new(libm::cos(angle), libm::sin(angle)) * (radius / 2.0)
        })
        .collect();
    for _ in 0..200 {
        let mut moved = 0.0f64;
        for i in 0..degree {
            let x = roots[i];
            let (value, slope) = coefficients.iter().rev().fold(
                (Complex64::default(), Complex64::default()),
                |(value, slope), &c| (value * x + c, slope * x + value),
            );
            let newton = value / slope;
            let others: Complex64 = roots
                .iter()
                .enumerate()
                .filter(|&(j, _)| j != i)
                .map(|(_, other)| (x - other).inv())
                .sum();
            let step = newton / (Complex64::new(1.0, 0.0) - newton * others);
            roots[i] -= step;
            moved = moved.max(step.norm_sqr() / roots[i].norm_sqr());
        }
        if moved < 1e-32 {
            break;
        }
    }
    for root in &mut roots {
        if root.im.abs() < 1e-9 * root.re.abs() {
            root.im = 0.0;
        }
    }
    roots.sort_by(|a, b| {
        let apart = (a.re - b.re).abs() > 1e-9 * (a.re.abs() + b.re.abs());
        if apart {
            a.re.total_cmp(&b.re)
        } else {
            b.im.total_cmp(&a.im)
        }
    });
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_come_back_from_their_product() {
        let expected = [
            Complex64::new(-3.0, 0.0),
            Complex64::new(-0.5, 2.0),
            Complex64::new(-0.5, -2.0),
            Complex64::new(0.25, 0.0),
            Complex64::new(1.0, 0.125),
            Complex64::new(1.0, -0.125),
        ];
        let one = Complex64::new(1.0, 0.0);
        let polynomial = expected
            .iter()
            .fold(vec![one], |p, root| product(&p, &[-root, one]));
        let real: Vec<f64> = polynomial.iter().map(|c| c.re).collect();
        let found = roots(&real);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).norm_sqr() < 1e-24, "{found} {expected}");
        }
    }

    #[test]
    fn the_square_root_is_the_principal_one() {
        for (re, im) in [
            (4.0, 0.0),
            (-4.0, 0.0),
            (3.0, -4.0),
            (-5.0, 12.0),
            (0.0, 0.0),
        ] {
            let x = Complex64::new(re, im);
            let root = sqrt(x);
            assert!((root * root - x).norm_sqr() < 1e-28 && root.re >= 0.0);
        }
    }
}
