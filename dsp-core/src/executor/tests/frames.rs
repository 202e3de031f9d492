//! Where frames and windows stand, and how they are scaled.

use super::*;

#[test]
fn frames_stand_where_the_framing_says() {
    let x = [1.0, 2.0, 3.0, 4.0, 5.0];
    let frames = |count, start, padding, mode| {
        let mut g = chain(3, 2, vec![]);
        g.framing.count = count;
        g.framing.start = start;
        g.framing.padding = padding;
        g.source.mode = mode;
        reference(&g, &x).values
    };
    assert_eq!(
        frames(FrameCount::Inside, 0, Padding::Zero, Mode::Clip),
        [1., 2., 3., 3., 4., 5.]
    );
    assert_eq!(
        frames(FrameCount::Centred, -1, Padding::Reflect, Mode::Clip),
        [2., 1., 2., 2., 3., 4., 4., 5., 4.]
    );
    assert_eq!(
        frames(FrameCount::Covering, 1, Padding::Zero, Mode::Clip),
        [2., 3., 4., 4., 5., 0.]
    );
    // A stream: zeros in front, nothing behind the last sample.
    assert_eq!(
        frames(FrameCount::Centred, -2, Padding::Zero, Mode::Stream),
        [0., 0., 1., 1., 2., 3., 3., 4., 5.]
    );
    assert_eq!(
        frames(FrameCount::Centred, 1, Padding::Zero, Mode::Stream),
        [2., 3., 4.]
    );
}

#[test]
fn windows_are_framed_and_scaled_on_their_own() {
    let mut g = chain(2, 2, vec![]);
    g.source.mode = Mode::Window { len: 4, hop: 3 };
    g.source.gain = Gain::PeakMagnitude;
    g.framing.start = -1;
    g.framing.count = FrameCount::Centred;
    let mut executor = Executor::<f64>::new(&g).unwrap();
    let x: Vec<f32> = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 1.0, 1.0];
    let windows: Vec<_> = executor.windows(&x).map(|f| f.values).collect();
    assert_eq!(
        windows,
        [
            [0.0, 0.25, 0.5, 0.75, 1.0, 0.0],
            [0.0, 0.5, 0.625, 0.75, 1.0, 0.0]
        ]
    );
    assert_eq!(executor.windows(&x[..3]).count(), 0);
}
