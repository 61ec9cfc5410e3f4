//! YAML files as trees that know their places, and the readers that turn them into typed
//! values while collecting every problem.
//!
//! Invariant: reading never stops at the first mistake, and no problem shows a secret.

mod json;
mod problem;
mod reader;
mod schema;
mod source;
mod spec;
mod template;
mod tree;

pub use json::JsonText;
pub use problem::{Problem, Severity};
pub use reader::{Fields, Lookup, Reader, SecretMode};
pub use schema::schema_of;
pub use source::{Place, Source};
pub(crate) use spec::nearest;
pub use spec::{Key, Shape, Spec};
pub use template::Scope;
pub use tree::{Entry, Node, Tree, Value};
