//! What recordings of both kinds become before they are written: steps, and the elements they mean.
//!
//! Invariant: texts are as the scenario format wants them, `${` that was recorded is escaped.

use url::{Position, Url};

use super::locator::{Locator, Subject, Target};
use super::words::names_a_secret;

/// Without `within:` a step may take this long.
pub const USUAL_WAIT_MS: u64 = 10_000;

/// A recording on its way to a check.
#[derive(Debug, Clone)]
pub struct Draft {
    /// As it was named.
    pub title: String,
    /// What recorded it.
    pub recorder: &'static str,
    /// The first page: what paths are relative to.
    pub first_page: Option<Url>,
    /// Width and height in CSS pixels.
    pub viewport: Option<(u64, u64)>,
    /// What is done.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where it stands in the recording: step 7 `click`.
    pub place: String,
    /// In which frame, from the outermost on.
    pub frames: Vec<Frame>,
    /// How long it may take, where that is longer than usual.
    pub within_ms: Option<u64>,
    /// What it does.
    pub act: Act,
}

/// A frame in a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// By its title, label, name or id.
    Named(String),
    /// By its place among the frames, from 1.
    Number(usize),
    /// Like any element.
    Found(Locator),
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Opens a page.
    Open(String),
    /// `back` or `reload`.
    Travel(&'static str),
    /// Turns to another tab.
    Tab(Tab),
    /// Does to an element, or looks for it.
    On(Verb, Target),
    /// Types.
    Type {
        /// Into which field.
        into: Target,
        /// What.
        text: String,
        /// What becomes of the text that is there already.
        typing: Typing,
        /// A key afterwards.
        press: Option<String>,
    },
    /// Picks an option.
    Choose {
        /// Its text or value.
        option: String,
        /// From which list.
        from: Target,
    },
    /// Presses keys where the focus is.
    Press(String),
    /// Hands a file over.
    Upload {
        /// Its name.
        file: String,
        /// To which field.
        to: Target,
    },
    /// Drags an element onto another.
    Drag {
        /// Which.
        from: Target,
        /// Onto which.
        to: Target,
    },
    /// Answers the next dialog.
    Dialog(Answer),
    /// Something holds, for the page or for an element.
    Expect(Fact, Option<Target>),
    /// The address holds this.
    WaitUrl(String),
    /// Something is no longer there.
    WaitGone(Target),
    /// Keeps an element's text under a name.
    Remember(String, Target),
    /// Runs a script in the page.
    Script(String),
    /// Could not be carried over: why, and what to write instead.
    LeftOut(String),
    /// The steps happen in a frame.
    Inside(Frame, Vec<Step>),
}

/// What is done to one element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Left button, once.
    Click,
    /// Left button, twice.
    DoubleClick,
    /// Right button.
    RightClick,
    /// The mouse over it.
    Hover,
    /// Empties it.
    Clear,
    /// Ticks it.
    Check,
    /// Unticks it.
    Uncheck,
    /// It is visible.
    See,
    /// It is not visible.
    NotSee,
}

/// What becomes of the text that a field holds already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typing {
    /// The recorded text is all that the field holds in the end; it was empty before.
    Whole,
    /// The same, and the field was not empty.
    Anew,
    /// It is typed behind what is there.
    Behind,
}

/// Which tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tab {
    /// In the order of opening, from 1.
    Number(usize),
    /// By its title.
    Titled(String),
    /// The present one is closed.
    Close,
}

/// What a dialog is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Yes.
    Accept,
    /// No.
    Dismiss,
    /// A text, and yes.
    Say(String),
}

/// What must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The page's title.
    Title(String),
    /// The element's text.
    Text(String),
    /// Not the element's text.
    OtherText(String),
    /// The field's value.
    Value(String),
    /// So many fit.
    Count(u64),
    /// At least so many fit.
    AtLeast(u64),
    /// At most so many fit.
    AtMost(u64),
    /// Whether it is ticked.
    Checked(bool),
    /// Whether it can be used.
    Enabled(bool),
}

impl Draft {
    /// A recording without steps.
    pub fn new(title: &str, recorder: &'static str) -> Self {
        Self {
            title: title.to_owned(),
            recorder,
            first_page: None,
            viewport: None,
            steps: Vec::new(),
        }
    }

    /// Adds a step outside of all frames.
    pub fn push(&mut self, place: &str, act: Act) {
        self.push_in(place, &[], act);
    }

    /// Adds a step in a frame.
    pub fn push_in(&mut self, place: &str, frames: &[Frame], act: Act) {
        self.steps.push(Step {
            place: place.to_owned(),
            frames: frames.to_vec(),
            within_ms: None,
            act,
        });
    }

    /// Says what could not be carried over, why, and what to write instead.
    pub fn leave_out(&mut self, place: &str, why: &str) {
        // Said among the steps of a frame it does not tear them apart.
        let frames = self.steps.last().map(|step| step.frames.clone());
        self.push_in(place, &frames.unwrap_or_default(), Act::LeftOut(why.to_owned()));
    }

    /// The size of the page. One holds for the whole check.
    pub fn view(&mut self, place: &str, width: u64, height: u64) {
        let fits = |side: u64| (200..=7680).contains(&side);
        if !(fits(width) && fits(height)) {
            self.leave_out(
                place,
                "the window's size is none that a check can have; `viewport` sets it",
            );
        } else if self.viewport.is_none() {
            self.viewport = Some((width, height));
        } else if self.viewport != Some((width, height)) {
            self.leave_out(
                place,
                "the window changes its size; one `viewport` holds for the whole check, so make two checks of it",
            );
        }
    }

    /// What to write behind `open:`: a path on the first page's site, otherwise the whole address.
    pub fn address(&mut self, place: &str, url: &Url) -> String {
        let mut url = url.clone();
        if !url.username().is_empty() || url.password().is_some() {
            // Only an address without a host refuses, and that has no log-in.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            self.leave_out(
                place,
                "the user and password in the address are not kept; log in with steps, or add them as `${env:…}`",
            );
        }
        self.drop_secrets(place, &mut url);
        let site = self.first_page.get_or_insert_with(|| url.clone());
        if site.origin() == url.origin() {
            escaped(&url[Position::BeforePath..])
        } else {
            escaped(url.as_str())
        }
    }

    /// A token in a query is as good as a password.
    fn drop_secrets(&mut self, place: &str, url: &mut Url) {
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let (secret, kept): (Vec<_>, Vec<_>) = pairs
            .into_iter()
            .partition(|(name, value)| names_a_secret(name) && !value.is_empty());
        let Some((name, _)) = secret.first() else {
            return;
        };
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(&kept);
        }
        self.leave_out(
            place,
            &format!(
                "`{name}` in the address looks like a secret and is not kept; add it as `{name}=${{env:…}}`"
            ),
        );
    }
}

impl Act {
    /// Every text in it that was recorded.
    pub fn texts_mut(&mut self) -> Vec<&mut String> {
        match self {
            Self::Open(text)
            | Self::Type { text, .. }
            | Self::Choose { option: text, .. }
            | Self::Dialog(Answer::Say(text))
            | Self::Tab(Tab::Titled(text))
            | Self::WaitUrl(text)
            | Self::Script(text)
            | Self::LeftOut(text)
            | Self::Expect(
                Fact::Title(text) | Fact::Text(text) | Fact::OtherText(text) | Fact::Value(text),
                _,
            ) => vec![text],
            _ => Vec::new(),
        }
    }

    /// Every element it means.
    pub fn targets_mut(&mut self) -> Vec<&mut Target> {
        match self {
            Self::On(_, target)
            | Self::Type { into: target, .. }
            | Self::Choose { from: target, .. }
            | Self::Upload { to: target, .. }
            | Self::Expect(_, Some(target))
            | Self::WaitGone(target)
            | Self::Remember(_, target) => vec![target],
            Self::Drag { from, to } => vec![from, to],
            _ => Vec::new(),
        }
    }

    /// Whether it looks at a result.
    pub fn looks(&self) -> bool {
        match self {
            Self::On(Verb::See | Verb::NotSee, _) | Self::Expect(..) => true,
            Self::Inside(_, steps) => steps.iter().any(|step| step.act.looks()),
            _ => false,
        }
    }
}

impl Verb {
    /// The key of the step.
    pub fn word(self) -> &'static str {
        match self {
            Self::Click => "click",
            Self::DoubleClick => "double_click",
            Self::RightClick => "right_click",
            Self::Hover => "hover",
            Self::Clear => "clear",
            Self::Check => "check",
            Self::Uncheck => "uncheck",
            Self::See => "see",
            Self::NotSee => "not_see",
        }
    }

    /// What it looks at.
    pub fn subject(self) -> Subject {
        match self {
            Self::Clear | Self::Check | Self::Uncheck => Subject::Field,
            Self::Click | Self::DoubleClick | Self::RightClick | Self::Hover | Self::See | Self::NotSee => {
                Subject::Any
            }
        }
    }
}

/// A recorded text that means itself.
pub fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}
