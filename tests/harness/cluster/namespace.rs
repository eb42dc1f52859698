//! A namespace of one test: what is in it, and when a resource in it is ready.
//!
//! Input: a client of the API server. Output: resources that are ready, and callers of them. Must not know: how a node is made.

use crate::wait;
use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{Namespace, Secret, Service};
use kube::api::DeleteParams;
use kube::{Api, Client as Kube};
use operator::crd::AdaptiveExamDeployment;

/// A namespace of one test.
#[derive(Clone)]
pub struct TestNamespace {
    /// A client of the API server.
    pub kube: Kube,
    /// Its name.
    pub name: String,
}

impl TestNamespace {
    /// Removes it and everything in it: what still runs there would take its share of the node.
    ///
    /// # Errors
    /// The API server's.
    pub async fn remove(self) -> Result<()> {
        let api: Api<Namespace> = Api::all(self.kube);
        api.delete(&self.name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// The API of a kind in this namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.kube.clone(), &self.name)
    }

    /// Waits until a resource is Ready in its latest generation and runs this mode.
    ///
    /// # Errors
    /// It is not in time; the error holds its last status.
    pub async fn ready(&self, name: &str, mode: &str) -> Result<AdaptiveExamDeployment> {
        let api: Api<AdaptiveExamDeployment> = self.api();
        let ready = || async {
            let resource = api.get(name).await.ok()?;
            let status = resource.status.as_ref()?;
            let good = status.conditions.iter().any(|known| {
                known.type_ == "Ready"
                    && known.status == "True"
                    && known.observed_generation == resource.metadata.generation
            });
            (good && status.mode.as_deref() == Some(mode)).then_some(resource)
        };
        match wait::until("Ready", wait::SETTLE, ready).await {
            Ok(resource) => Ok(resource),
            Err(error) => bail!("{error}: {name} is {:#?}", api.get(name).await.map(|found| found.status)),
        }
    }

    /// Waits until the condition `Ready` of a resource has this reason, and its message all of these words. An earlier message of
    /// the same reason may be as true: a connection broke, before the next one was refused.
    ///
    /// # Errors
    /// It does not tell it in time; the error holds its last status.
    pub async fn tells(&self, name: &str, reason: &str, words: &[&str]) -> Result<()> {
        let api: Api<AdaptiveExamDeployment> = self.api();
        let told = || async {
            let conditions = api.get(name).await.ok()?.status?.conditions;
            let ready = conditions.into_iter().find(|known| known.type_ == "Ready")?;
            let told = ready.reason == reason && words.iter().all(|words| ready.message.contains(words));
            told.then_some(())
        };
        match wait::until(&format!("{reason} with {words:?}"), wait::SETTLE, told).await {
            Ok(()) => Ok(()),
            Err(error) => bail!("{error}: {name} is {:#?}", api.get(name).await.map(|found| found.status)),
        }
    }

    /// A caller of the exam API of a resource, by its Service and with its token.
    ///
    /// # Errors
    /// The Service or the Secret is not there.
    pub async fn exams(&self, name: &str) -> Result<crate::Client> {
        let service = self.api::<Service>().get(name).await?;
        let address = service.spec.and_then(|spec| spec.cluster_ip).context("a cluster IP")?;
        let token = self.token(name).await?;
        let client = crate::Client::new(format!("http://{address}:{}", contract::API_PORT), Some(token));
        // The node's rules for this Service may come after those for the one that told readiness.
        wait::until("the Service", wait::SETTLE, || async { client.get("/exams").await.ok().map(drop) })
            .await?;
        Ok(client)
    }

    /// The token of a resource.
    ///
    /// # Errors
    /// The Secret is not there.
    pub async fn token(&self, name: &str) -> Result<String> {
        let secret = self.api::<Secret>().get(&format!("{name}-auth")).await?;
        let token = secret.data.unwrap_or_default().remove("token").context("a token")?;
        Ok(String::from_utf8(token.0)?)
    }
}
