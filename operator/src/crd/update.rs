//! When pods may be replaced, in the spec.
//!
//! Input: none. Output: data and CEL rules. Must not know: clocks, objects.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When pods may be replaced by changed ones. Other changes, as of the mode or of exams, replace no pod and never wait.
/// What an upgrade of the operator itself would change in pods waits in every case: until the spec changes what pods are made
/// of, or the update is approved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Update {
    /// `Automatic`: at once, or in the window. `Supervised`: when the update that the condition UpdateWaiting names is approved.
    /// Default: Automatic.
    pub strategy: Strategy,
    /// When an update may begin; absent: at any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// Who decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Strategy {
    /// The operator.
    #[default]
    Automatic,
    /// A person, by the annotation `exam.dreamseed.ai/approve-update`.
    Supervised,
}

/// Hours of some days, in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// The days on which it begins. Default: every day.
    #[schemars(length(max = 7))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// When it begins, as in `22:00`.
    #[x_kube(validation = Rule::new("self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')")
        .message("must be a time of the day in UTC, from 00:00 to 23:59"))]
    pub from: String,
    /// How many hours it lasts.
    #[schemars(range(min = 1, max = 24))]
    pub hours: i32,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}
