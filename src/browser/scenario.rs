//! Scenarios as values.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;

use super::locator::Target;
use crate::check::matcher::Matcher;
use crate::model::{Broken, Evidence, Level, Quantity, Text, Threshold};

/// The block `browser:`.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// What `open: /login` is relative to.
    pub url: Option<Text>,
    /// Width and height in CSS pixels.
    pub viewport: (u32, u32),
    /// What the browser says it speaks.
    pub locale: Option<String>,
    /// The browser's clock.
    pub timezone: Option<String>,
}

/// A journey through pages.
pub struct Scenario {
    /// Where it happens.
    pub surroundings: Surroundings,
    /// What is done.
    pub steps: Vec<Step>,
    /// Clean-up, also after a failure.
    pub always: Vec<Step>,
    /// What must hold when the steps are done.
    pub expects: Vec<(Level, PageExpect)>,
    /// Bounds on named steps.
    pub thresholds: Vec<Threshold>,
}

/// One step.
#[derive(Clone)]
pub struct Step {
    /// As it was written, values unfilled.
    pub written: String,
    /// `checks/shop/buy.yaml:14`
    pub place: String,
    /// How long it may take.
    pub within: Option<Duration>,
    /// What its failure makes of the run.
    pub level: Level,
    /// Whether the scenario goes on without it.
    pub optional: bool,
    /// In which frame it happens.
    pub frame: Option<Target>,
    /// What it does.
    pub act: Act,
}

/// What a step does.
#[derive(Clone)]
pub enum Act {
    /// Opens a page.
    Open(Text),
    /// Through the history.
    Travel(Travel),
    /// Presses a mouse button on an element.
    Click(Target, Press),
    /// Moves the mouse over it.
    Hover(Target),
    /// Types.
    Type {
        /// Into which field.
        into: Target,
        /// What.
        text: Text,
        /// Empty the field first.
        clear: bool,
        /// A key afterwards.
        press: Option<Chord>,
    },
    /// Empties a field.
    Clear(Target),
    /// Picks an option.
    Choose {
        /// Its text.
        option: Text,
        /// From which list; the only one that has it otherwise.
        from: Option<Target>,
    },
    /// Ticks or unticks a box.
    Check(Target, bool),
    /// Presses keys.
    Press(Chord),
    /// Brings an element into view.
    ScrollTo(Target),
    /// Something is visible within the step's time.
    See(Target),
    /// Something is not, or no longer, visible.
    NotSee(Target),
    /// Something holds within the step's time.
    Expect(Vec<(Level, PageExpect)>),
    /// Waits for something.
    WaitFor(Await),
    /// Waits. Validation warns about it.
    Pause(Duration),
    /// Keeps values for later steps.
    Remember(Vec<(String, Source)>),
    /// Keeps a picture.
    Screenshot(Text),
    /// A named group, timed.
    Group(String, Vec<Step>),
    /// In a frame.
    InFrame(Target, Vec<Step>),
    /// Inside an element.
    InElement(Target, Vec<Step>),
    /// Only if something is there now.
    IfSeen(Target, Vec<Step>),
}

/// Through the browser's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Travel {
    /// One page back.
    Back,
    /// One page forward.
    Forward,
    /// The same page again.
    Reload,
}

/// How the mouse is pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    /// Left, once.
    Once,
    /// Left, twice.
    Twice,
    /// Right, once.
    Right,
}

/// Keys pressed together: `Control+S`. WebDriver's code points, modifiers first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chord(pub Vec<char>);

/// What `remember:` takes a value from.
#[derive(Debug, Clone)]
pub enum Source {
    /// An element's value or text.
    Element(Target),
    /// The first group of a pattern over the address.
    Url(Regex),
}

/// What `wait_for:` waits for.
#[derive(Debug, Clone)]
pub enum Await {
    /// The address fits.
    Url(Matcher),
    /// A text is visible.
    Text(Target),
    /// Something is no longer visible.
    Gone(Target),
}

/// What must hold for the page, or for one element of it.
#[derive(Debug, Clone, Default)]
pub struct PageExpect {
    /// The page's title.
    pub title: Option<Matcher>,
    /// Its address.
    pub url: Option<Matcher>,
    /// The text of the page, or of `of`.
    pub text: Option<Matcher>,
    /// The element meant by `text`, `value`, `count`, `checked`, `enabled`.
    pub of: Option<Target>,
    /// A field's value.
    pub value: Option<Matcher>,
    /// How many there are.
    pub count: Option<Matcher>,
    /// Whether it is ticked.
    pub checked: Option<bool>,
    /// Whether it can be used.
    pub enabled: Option<bool>,
    /// The page wrote no error to its console.
    pub no_console_errors: bool,
}

/// What came of a scenario.
#[derive(Default)]
pub struct Ended {
    /// What did not hold.
    pub broken: Vec<Broken>,
    /// Named steps and page timings.
    pub measurements: BTreeMap<String, Quantity>,
    /// For the reader.
    pub evidence: Evidence,
    /// To mend one day.
    pub remarks: Vec<String>,
    /// Our own fault, when it was one: nothing is known of the page.
    pub ours: Option<String>,
}

impl Act {
    /// Whether it is made of steps of its own.
    #[must_use]
    pub fn is_group(&self) -> bool {
        matches!(
            self,
            Self::Group(..) | Self::InFrame(..) | Self::InElement(..) | Self::IfSeen(..)
        )
    }
}

impl Scenario {
    /// The names of its groups, whose times are measured.
    #[must_use]
    pub fn group_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        collect_groups(&self.steps, &mut names);
        names
    }
}

fn collect_groups(steps: &[Step], names: &mut Vec<String>) {
    for step in steps {
        match &step.act {
            Act::Group(name, inner) => {
                names.push(name.clone());
                collect_groups(inner, names);
            }
            Act::InFrame(_, inner) | Act::InElement(_, inner) | Act::IfSeen(_, inner) => {
                collect_groups(inner, names);
            }
            _ => {}
        }
    }
}
