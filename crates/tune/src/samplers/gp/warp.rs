//! Values as the model sees them.

pub(crate) fn standardized(values: &[f64]) -> Vec<f64> {
    // Halving first keeps sums of huge values finite; a common factor is lost in standardising anyway.
    let n = values.len() as f64;
    let largest = values.iter().fold(0.0_f64, |m, v| m.max(v.abs())).max(f64::MIN_POSITIVE);
    let values: Vec<f64> = values.iter().map(|v| v / largest).collect();
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let deviation = if deviation > 1e-14 { deviation } else { 1.0 };
    values.iter().map(|v| (v - mean) / deviation).collect()
}

pub(crate) fn warp(values: &[f64]) -> Vec<f64> {
    match std::env::var("WARP").as_deref() {
        Ok("yj") => yeo_johnson(values),
        Ok("log") => log_warp(values),
        Ok("half") => half_rank(values),
        Ok("rank") => rank(values),
        _ => standardized(values),
    }
}

fn rank(values: &[f64]) -> Vec<f64> {
    let n = values.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut out = vec![0.0; n];
    for (r, i) in order.into_iter().enumerate() {
        out[i] = quantile((r as f64 + 0.5) / n as f64);
    }
    standardized(&out)
}

fn quantile(p: f64) -> f64 {
    let (mut lo, mut hi) = (-10.0, 10.0);
    for _ in 0..60 {
        let mid = 0.5 * (lo + hi);
        if crate::samplers::normal::cumulative(mid) < p { lo = mid } else { hi = mid }
    }
    lo
}

/// Values worse than the median: as a normal distribution of the good half's spread would place them.
fn half_rank(values: &[f64]) -> Vec<f64> {
    let values = standardized(values);
    let n = values.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let median = values[order[n / 2]];
    let good: Vec<f64> = values.iter().copied().filter(|v| *v <= median).collect();
    let spread = (good.iter().map(|v| (v - median).powi(2)).sum::<f64>() / good.len() as f64).sqrt();
    let mut out = values.clone();
    for (r, i) in order.into_iter().enumerate() {
        if values[i] > median {
            out[i] = median + spread * quantile((r as f64 + 0.5) / n as f64);
        }
    }
    standardized(&out)
}

/// log of the distance from the best, softened
fn log_warp(values: &[f64]) -> Vec<f64> {
    let s = standardized(values);
    let best = s.iter().copied().fold(f64::INFINITY, f64::min);
    let worst = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let out: Vec<f64> = s.iter().map(|v| (1.0 + 0.5 * (v - best) / (worst - best).max(1e-12) * 20.0).ln()).collect();
    standardized(&out)
}

fn yeo_johnson(values: &[f64]) -> Vec<f64> {
    let s = standardized(values);
    let t = |v: f64, l: f64| {
        if v >= 0.0 {
            if l.abs() < 1e-9 { v.ln_1p() } else { ((1.0 + v).powf(l) - 1.0) / l }
        } else {
            let m = 2.0 - l;
            if m.abs() < 1e-9 { -(-v).ln_1p() } else { -((1.0 - v).powf(m) - 1.0) / m }
        }
    };
    let like = |l: f64| {
        let w: Vec<f64> = s.iter().map(|v| t(*v, l)).collect();
        let n = w.len() as f64;
        let mean = w.iter().sum::<f64>() / n;
        let var = w.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        -0.5 * n * var.max(1e-300).ln() + (l - 1.0) * s.iter().map(|v| v.signum() * v.abs().ln_1p()).sum::<f64>()
    };
    let (mut a, mut b) = (-2.0, 4.0);
    let g = 0.618_033_988_749_895;
    for _ in 0..30 {
        let (c, d) = (b - g * (b - a), a + g * (b - a));
        if like(c) > like(d) { b = d } else { a = c }
    }
    let l = 0.5 * (a + b);
    standardized(&s.iter().map(|v| t(*v, l)).collect::<Vec<_>>())
}
