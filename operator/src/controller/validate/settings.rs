//! Parts of the spec that are parts of the Settings: callers, banks, exam types.
//!
//! Input: the spec's form. Output: the Settings' form, with every default resolved. Must not know: objects.

use crate::crd::{self, AuthMode};
use crate::names;
use contract::settings::{
    Algorithm, Auth, Bank, BankFile, BankForm, BankFormat, BankFrom, ExamType, Limits, Shown,
};

pub(super) fn auth(given: &crd::Auth) -> Auth {
    let token = || Auth::Token { token_file: format!("{}/{}", names::TOKEN_FOLDER, names::TOKEN_KEY) };
    match (given.mode, &given.jwt) {
        (AuthMode::Token | AuthMode::Jwt, None) | (AuthMode::Token, Some(_)) => token(),
        (AuthMode::None, _) => Auth::None { allow_public: true },
        (AuthMode::Jwt, Some(jwt)) => Auth::Jwt {
            key_file: format!("{}/{}", names::JWT_FOLDER, names::JWT_KEYS),
            algorithm: jwt.algorithm.map(|algorithm| match algorithm {
                crd::Algorithm::HS256 => Algorithm::HS256,
                crd::Algorithm::ES256 => Algorithm::ES256,
                crd::Algorithm::ES384 => Algorithm::ES384,
                crd::Algorithm::EdDSA => Algorithm::EdDSA,
            }),
            audience: jwt.audience.clone(),
            issuer: jwt.issuer.clone(),
        },
    }
}

pub(super) fn limits(given: &crd::Limits) -> Limits {
    let count = |number: i32| u32::try_from(number).unwrap_or_default();
    let requests_per_second = count(given.requests_per_second);
    Limits {
        requests_per_second,
        burst: given.burst.map_or(requests_per_second, count),
        trusted_proxies: u8::try_from(given.trusted_proxies).unwrap_or_default(),
    }
}

pub(super) fn bank(given: &crd::Bank) -> Bank {
    let from = match &given.version {
        Some(version) => BankFrom::Version { version: version.clone() },
        None => BankFrom::File(BankFile {
            file: format!("{}/{}", names::BANKS_FOLDER, given.file()),
            form: BankForm {
                scaling: given.scaling.unwrap_or(1.0),
                format: match given.format {
                    Some(crd::BankFormat::Mirt) => BankFormat::Mirt,
                    Some(crd::BankFormat::Standard) | None => BankFormat::Standard,
                },
                columns: given.columns.clone(),
                encoding: None,
            },
        }),
    };
    Bank { name: given.name.clone(), from }
}

impl crd::Bank {
    /// The name of its file in the folder of banks: any name is one of a bank, and not every one is one of a file.
    pub fn file(&self) -> String {
        format!("{}.csv", contract::settings::revision(&self.name))
    }
}

pub(super) fn exam_type(given: &crd::ExamType) -> ExamType {
    let default = ExamType::default();
    let some = |given: Option<i32>| given.and_then(|number| u32::try_from(number).ok());
    let max_items = some(given.max_items).unwrap_or(default.max_items);
    ExamType {
        bank: given.bank.clone().unwrap_or(default.bank),
        max_items,
        min_items: some(given.min_items).or(Some(ExamType::MIN_ITEMS.min(max_items))),
        target_standard_error: given.target_standard_error.or(default.target_standard_error),
        start_theta: given.start_theta.unwrap_or(default.start_theta),
        max_seconds: some(given.max_seconds),
        item_seconds: some(given.item_seconds),
        expires_after_seconds: some(given.expires_after_seconds).unwrap_or(default.expires_after_seconds),
        attempts: some(given.attempts),
        resume: given.resume.unwrap_or(default.resume),
        students_see: given.students_see.iter().map(shown).collect(),
        // It stands in for the rules, whose defaults are those of no policy then.
        ..match &given.policy {
            Some(policy) => ExamType { policy: Some(policy.clone()), ..ExamType::default() },
            None => ExamType::default(),
        }
    }
}

fn shown(given: &crd::Shown) -> Shown {
    match given {
        crd::Shown::Correct => Shown::Correct,
        crd::Shown::Ability => Shown::Ability,
        crd::Shown::Score => Shown::Score,
    }
}
