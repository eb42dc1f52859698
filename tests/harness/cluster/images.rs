//! Images that the nodes of a cluster have: ours, those of what we stand on, and those of other operators.
//!
//! Input: programs of this workspace and of this machine. Output: images in every node, without a registry. Must not know: what runs
//! of them.

use super::{Cluster, command, run, workspace};
use crate::process::program;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Images that every node has.
const IMAGES: [&str; 5] = [
    "exam-service.tar",
    "exam-operator.tar",
    "exam-redis.tar",
    "exam-postgres.tar",
    "exam-redis-exporter.tar",
];
/// The images of a release, by name.
const RELEASED: &str = "charts/adaptive-exam-operator/files/images.txt";

impl Cluster {
    /// Starts nodes, or finds them up, without an installation; they have this workspace's images under the names of a release,
    /// and under those in a registry of one's own, `registry.school.example`.
    ///
    /// # Errors
    /// They do not come up.
    pub async fn released(name: &str, nodes: usize) -> Result<Option<Self>> {
        let Some(cluster) = Self::bare(name, nodes).await? else { return Ok(None) };
        cluster.load_images().await?;
        for reference in std::fs::read_to_string(workspace().join(RELEASED))?.lines() {
            let path = reference.strip_prefix("docker.io/").unwrap_or(reference);
            let ours = match path.rsplit('/').next().and_then(|last| last.split(':').next()) {
                Some("redis") => "exam-redis:dev".to_owned(),
                Some("redis_exporter") => "exam-redis-exporter:dev".to_owned(),
                program => format!("{}:dev", program.context("a name")?),
            };
            cluster.name_image(&ours, &[reference, &format!("registry.school.example/{path}")]).await?;
        }
        Ok(Some(cluster))
    }

    pub(super) async fn load_images(&self) -> Result<()> {
        let service = program("exam-service")?;
        let programs = service.parent().context("a program should be in a folder")?;
        let images = programs.join("images");
        run(command().arg("images").arg(&images).arg("--bin-dir").arg(programs)).await?;
        self.load(&images, &IMAGES).await
    }

    /// Builds the Prometheus Operator, hands the images that it runs to every node, and gives the folder with the program
    /// `prometheus-operator` and the definitions of its kinds in `crds`.
    ///
    /// # Errors
    /// It cannot be built.
    pub async fn monitoring(&self) -> Result<PathBuf> {
        let folder = program("exam-service")?.with_file_name("monitoring");
        run(command().arg("monitoring").arg(&folder)).await?;
        let archives = ["exam-prometheus.tar", "exam-config-reloader.tar", "exam-alertmanager.tar"];
        self.load(&folder, &archives).await?;
        Ok(folder)
    }

    /// Builds CloudNativePG, hands the images of its operator (`exam-cloudnative-pg:dev`) and of PostgreSQL to every node, and gives
    /// its manifest and the name of the latter.
    ///
    /// # Errors
    /// It cannot be built.
    pub async fn cloudnative_pg(&self) -> Result<(PathBuf, String)> {
        let folder = program("exam-service")?.with_file_name("database");
        let said = run(command().arg("database").arg(&folder)).await?;
        self.load(&folder, &["exam-cloudnative-pg.tar", "exam-cloudnative-postgres.tar"]).await?;
        // The last line has the name and the digest of what was written last.
        let image = said.lines().last().and_then(|line| line.split(' ').next()).context("an image")?;
        Ok((folder.join("operator.yaml"), image.to_owned()))
    }

    /// Gives an image that every node has more names.
    ///
    /// # Errors
    /// No node has it.
    pub async fn name_image(&self, image: &str, names: &[&str]) -> Result<()> {
        run(command().args(["name", &self.name, image]).args(names)).await.map(drop)
    }

    async fn load(&self, folder: &Path, archives: &[&str]) -> Result<()> {
        let archives = archives.iter().map(|file| folder.join(file));
        run(command().args(["load", &self.name]).args(archives)).await.map(drop)
    }
}
