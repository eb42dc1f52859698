//! The volume claims of a resource.
//!
//! Input: names and a client. Output: claims, by name. Must not know: what follows from it.

use crate::names::{Component, Names};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::ListParams;
use kube::{Api, Client};
use std::collections::BTreeMap;

/// A volume claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// The size that it asks for.
    pub asked: String,
    /// The size that it has; `None`: there is no volume yet.
    pub held: Option<String>,
}

impl Claim {
    /// A claim, as the API server has it.
    pub fn of(claim: &PersistentVolumeClaim) -> Option<Self> {
        let size = |sizes: Option<&BTreeMap<String, Quantity>>| Some(sizes?.get("storage")?.0.clone());
        let asked = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref();
        Some(Self {
            name: claim.metadata.name.clone()?,
            asked: size(asked)?,
            held: size(claim.status.as_ref().and_then(|status| status.capacity.as_ref())),
        })
    }
}

/// The claims of the pods of Redis. The labels of a claim never change, also of one that an earlier pod left.
pub(super) async fn of_redis(client: &Client, names: &Names) -> kube::Result<Vec<Claim>> {
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &names.namespace);
    let labelled = ListParams::default().labels(&names.selected(Component::Redis));
    let mut claims: Vec<Claim> = api.list(&labelled).await?.iter().filter_map(Claim::of).collect();
    claims.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(claims)
}
