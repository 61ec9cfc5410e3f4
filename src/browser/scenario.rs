//! Scenarios as values.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use super::locator::Target;
use super::visit::Look;
use crate::check::http::HttpProbe;
use crate::check::matcher::Matcher;
use crate::model::{Broken, Evidence, Level, Quantity, Text, Threshold};

/// The block `browser:`.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// What `open: /login` is relative to.
    pub url: Option<Text>,
    /// What every page is shown with.
    pub look: Look,
    /// Sent with every request of the pages.
    pub headers: Vec<(String, Text)>,
    /// Never to be seen in pictures and page sources.
    pub mask: Vec<Target>,
    /// The named step at whose end the measured page is shown; the first page without it.
    pub measure_page: Option<String>,
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
        /// Press a key for every character.
        keys: bool,
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
    /// Only if something is there.
    IfSeen(Target, Vec<Step>),
    /// Again and again, so many times at most, until something is there.
    Repeat {
        /// So many times at most.
        up_to: u32,
        /// Until this is visible.
        until: Target,
        /// What is repeated.
        steps: Vec<Step>,
    },
    /// Steps of another file.
    Flow(String, Vec<Step>),
    /// Logs in, or takes over what an earlier run has logged in.
    LogIn(Arc<LogIn>),
    /// Opens, changes or closes a tab.
    Tab(Tab),
    /// Puts files into a field.
    Upload {
        /// Which files, from the project folder.
        files: Vec<Text>,
        /// Into which field.
        to: Target,
    },
    /// Drags one element onto another.
    Drag {
        /// What is dragged.
        from: Target,
        /// Where to.
        to: Target,
    },
    /// Answers the dialog that is open, or the next one.
    Dialog {
        /// OK, or Cancel.
        accept: bool,
        /// What is typed into a prompt.
        text: Option<Text>,
    },
    /// Sets and deletes cookies.
    Cookies {
        /// Name and value, for the page that is shown.
        set: Vec<(String, Text)>,
        /// Which ones go.
        delete: Delete,
    },
    /// Cuts the pages off from the network, or back on.
    Offline(bool),
    /// A request of our own, to prepare or tidy data.
    Http(Arc<HttpProbe>),
    /// JavaScript in the page.
    Script(Text),
}

/// A tab to look at.
#[derive(Debug, Clone)]
pub enum Tab {
    /// A new one.
    New,
    /// By its number, from 1, in the order of opening.
    Number(usize),
    /// By a part of its title or address.
    Called(Text),
    /// None: closes the one that is looked at.
    Close,
}

/// Which cookies are deleted.
#[derive(Debug, Clone)]
pub enum Delete {
    /// None.
    Nothing,
    /// Every one.
    All,
    /// Those of these names.
    Named(Vec<String>),
}

/// A log-in whose state is kept for other runs.
pub struct LogIn {
    /// The flow's name: `log-in/qa`.
    pub name: String,
    /// What the state is kept under: the same flow with other content is another.
    pub key: u64,
    /// For how long it is kept.
    pub valid_for: Duration,
    /// How to log in.
    pub steps: Vec<Step>,
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
    /// An attribute of an element.
    Attribute(Target, String),
    /// What a script returns.
    Script(Text),
    /// A cookie's value.
    Cookie(String),
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
    /// A request to an address that fits was answered since the step before began.
    Request(Matcher),
    /// No request is on its way, for half a second.
    Idle,
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
    /// Attributes of `of`.
    pub attribute: Vec<(String, Matcher)>,
    /// Cookies by name.
    pub cookie: Vec<(String, Matcher)>,
    /// Local storage by key.
    pub storage: Vec<(String, Matcher)>,
    /// The name of a file that the page gave.
    pub download: Option<Matcher>,
    /// The page wrote no error to its console.
    pub no_console_errors: bool,
    /// Every request got an answer below 400.
    pub no_failed_requests: bool,
    /// The page breaks none of a few rules of WCAG 2.
    pub accessible: bool,
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
    /// The browser was lost, or its tab crashed: nothing that another run may not find
    /// otherwise.
    pub disturbed: bool,
}

impl Act {
    /// Whether it is made of steps of its own.
    #[must_use]
    pub fn is_group(&self) -> bool {
        matches!(
            self,
            Self::Group(..)
                | Self::InFrame(..)
                | Self::InElement(..)
                | Self::IfSeen(..)
                | Self::Repeat { .. }
                | Self::Flow(..)
                | Self::LogIn(_)
        )
    }

    /// Whether it may lead to another page.
    #[must_use]
    pub fn may_leave(&self) -> bool {
        matches!(
            self,
            Self::Open(_)
                | Self::Travel(_)
                | Self::Click(..)
                | Self::Press(_)
                | Self::Choose { .. }
                | Self::Check(..)
                | Self::Tab(_)
                | Self::Script(_)
                | Self::Type { press: Some(_), .. }
        )
    }

    /// The steps in it.
    #[must_use]
    pub fn inner(&self) -> &[Step] {
        match self {
            Self::Group(_, steps)
            | Self::InFrame(_, steps)
            | Self::InElement(_, steps)
            | Self::IfSeen(_, steps)
            | Self::Flow(_, steps)
            | Self::Repeat { steps, .. } => steps,
            Self::LogIn(log_in) => &log_in.steps,
            _ => &[],
        }
    }

    /// The expectations in it.
    #[must_use]
    pub fn expects(&self) -> &[(Level, PageExpect)] {
        match self {
            Self::Expect(blocks) => blocks,
            _ => &[],
        }
    }
}

impl Scenario {
    /// The names of its groups, whose times are measured.
    #[must_use]
    pub fn group_names(&self) -> Vec<String> {
        self.all_steps()
            .filter_map(|step| match &step.act {
                Act::Group(name, _) => Some(name.clone()),
                _ => None,
            })
            .collect()
    }

    /// Every step at any depth, clean-up last.
    pub fn all_steps(&self) -> impl Iterator<Item = &Step> {
        let mut all = Vec::new();
        collect(&self.steps, &mut all);
        collect(&self.always, &mut all);
        all.into_iter()
    }

    /// Whether a file that a page gives is wanted.
    #[must_use]
    pub fn takes_downloads(&self) -> bool {
        let steps = self.all_steps().flat_map(|step| step.act.expects());
        steps
            .chain(&self.expects)
            .any(|(_, expect)| expect.download.is_some())
    }

    /// Whether requests are waited for one by one.
    #[must_use]
    pub fn follows_requests(&self) -> bool {
        self.all_steps()
            .any(|step| matches!(step.act, Act::WaitFor(Await::Idle | Await::Request(_))))
    }
}

fn collect<'s>(steps: &'s [Step], all: &mut Vec<&'s Step>) {
    for step in steps {
        all.push(step);
        collect(step.act.inner(), all);
    }
}
