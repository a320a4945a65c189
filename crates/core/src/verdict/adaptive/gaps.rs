//! How heavy a silence may be, by those that ended by themselves.
//!
//! If arrivals were independent, silences of weight w or more would come exp(−w) times per arrival, and for so many false alarms a
//! year a bound of ln(arrivals a year / false alarms a year) would do. Arrivals that come in bursts of s slots are only as many
//! chances for a silence, divided by s, and their silences are s times as heavy: the *spread*, which is the mean square of the
//! silences over twice their mean (1 for independent arrivals). Whatever the formula says, the bound stays above the heaviest silence
//! of the last months.

/// False alarms of one feed in a year, were the habits all there is to it. A tenth costs ln 10 arrivals of waiting.
const FALSE_ALARMS: f32 = 0.1;

/// Above the heaviest silence by this factor.
const MARGIN: f32 = 1.25;

/// What is left of the past after a week: half of it after six and a half.
const FADE: f32 = 0.9;

/// Silences of independent arrivals that are believed in before any is seen.
const BELIEF: f32 = 10.0;

const WEEKS_PER_YEAR: f32 = 52.18;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Gaps {
    sum: f32,
    squares: f32,
    heaviest: f32,
}

impl Gaps {
    /// A silence has ended by itself.
    pub(super) fn add(&mut self, weight: f32) {
        self.sum += weight;
        self.squares += weight * weight;
        self.heaviest = self.heaviest.max(weight);
    }

    /// Sum, sum of squares, and the heaviest.
    pub(super) fn numbers(&self) -> (f32, f32, f32) {
        (self.sum, self.squares, self.heaviest)
    }

    /// The gaps with these numbers; `None` if none have them.
    pub(super) fn of_numbers(sum: f32, squares: f32, heaviest: f32) -> Option<Self> {
        let is_sound = [sum, squares, heaviest].iter().all(|number| number.is_finite() && *number >= 0.0);
        is_sound.then_some(Self { sum, squares, heaviest })
    }

    /// A week has passed.
    pub(super) fn age(&mut self) {
        self.sum *= FADE;
        self.squares *= FADE;
        self.heaviest *= FADE;
    }

    /// The weight beyond which a silence is unusual, with so many arrivals a week.
    pub(super) fn bound(&self, arrivals: f32) -> f32 {
        let spread = self.spread();
        let chances = arrivals * WEEKS_PER_YEAR / spread;
        let bound = spread * (chances / FALSE_ALARMS).ln().max(1.0);
        bound.max(self.heaviest * MARGIN)
    }

    fn spread(&self) -> f32 {
        let (sum, squares) = (self.sum + BELIEF, self.squares + 2.0 * BELIEF);
        (squares / (2.0 * sum)).max(1.0)
    }
}
