//! A headless Chromium with its own profile and port; presses keys as a person does.

use anyhow::{Context, Result, bail};
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::{Client, ClientBuilder};
use harness::process::Process;
use harness::wait::until;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdout, Command};

const PACKAGES: &str =
    "the page's tests need Debian's packages chromium and chromium-driver: `make packages`";
/// How long the page may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);
/// Checks a page for barriers.
const AXE: &str = include_str!("../axe.min.js");

/// A browser with one tab, and what it needs to live.
pub struct Browser {
    tab: Client,
    driver: Process,
    port: u16,
    // Its folder goes last.
    _folder: TempDir,
}

impl Browser {
    /// Starts one, as on a desk.
    pub async fn start() -> Result<Self> {
        Self::start_as(json!({})).await
    }

    /// Starts one as on a phone: 360 pixels wide, and touched.
    pub async fn start_narrow() -> Result<Self> {
        let metrics = json!({"width": 360, "height": 740, "pixelRatio": 2.0, "touch": true});
        Self::start_as(json!({"deviceMetrics": metrics})).await
    }

    async fn start_as(emulation: Value) -> Result<Self> {
        let folder = TempDir::new()?;
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("HOME", folder.path()).env("TMPDIR", folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = Process::start("chromedriver", &mut command).context(PACKAGES)?;
        let stdout = driver.child().stdout.take().context("stdout should be piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let port =
            tokio::time::timeout(PATIENCE, told_port(&mut lines)).await.context("chromedriver hangs")??;
        // Its pipe never fills.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let profile = format!("user-data-dir={}", folder.path().join("profile").display());
        let capabilities = json!({
            "goog:loggingPrefs": {"browser": "ALL"},
            // By the pipe the browser notices when its driver is gone, and ends too.
            "goog:chromeOptions": {"args": ["headless=new", "no-sandbox", "disable-dev-shm-usage",
                "no-proxy-server", "remote-debugging-pipe", "window-size=900,900", profile]},
        });
        let mut capabilities = capabilities;
        if emulation != json!({}) {
            capabilities["goog:chromeOptions"]["mobileEmulation"] = emulation;
        }
        let Value::Object(capabilities) = capabilities else { bail!("capabilities should be an object") };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let tab = builder.connect(&format!("http://127.0.0.1:{port}")).await.context(PACKAGES)?;
        Ok(Self { tab, driver, port, _folder: folder })
    }

    /// Ends it.
    pub async fn close(self) -> Result<()> {
        let Self { tab, mut driver, .. } = self;
        tab.close().await?;
        driver.kill().await
    }

    /// Loads the page of a service.
    pub async fn open(&self, service: SocketAddr) -> Result<()> {
        Ok(self.tab.goto(&format!("http://{service}/")).await?)
    }

    /// Loads the page with a query, as in `?lang=de`.
    pub async fn open_with(&self, service: SocketAddr, query: &str) -> Result<()> {
        Ok(self.tab.goto(&format!("http://{service}/{query}")).await?)
    }

    /// Goes on in a new tab, as another person at this computer would.
    pub async fn new_tab(&self) -> Result<()> {
        let tab = self.tab.new_window(true).await?;
        Ok(self.tab.switch_to_window(tab.handle).await?)
    }

    /// Clicks on an element, by its id.
    pub async fn click(&self, id: &str) -> Result<()> {
        Ok(self.tab.find(fantoccini::Locator::Id(id)).await?.click().await?)
    }

    /// What an element, by its id, shows.
    pub async fn shown(&self, id: &str) -> Result<String> {
        let text = self.value(&format!("document.getElementById('{id}').innerText")).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Loads the page again, or what the browser shows in its place.
    pub async fn reload(&self) -> Result<()> {
        Ok(self.tab.refresh().await?)
    }

    /// Presses keys one after the other, wherever the focus is.
    pub async fn press(&self, keys: &str) -> Result<()> {
        let mut presses = KeyActions::new("keyboard".to_owned());
        for value in keys.chars() {
            presses = presses.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        Ok(self.tab.perform_actions(presses).await?)
    }

    /// The value of an expression in the page.
    pub async fn value(&self, expression: &str) -> Result<Value> {
        Ok(self.tab.execute(&format!("return {expression};"), Vec::new()).await?)
    }

    /// Waits until an expression in the page is true.
    pub async fn until(&self, expression: &str) -> Result<()> {
        let holds = async || (self.value(expression).await.ok()? == Value::Bool(true)).then_some(());
        let waited = until(expression, PATIENCE, holds).await;
        if waited.is_err() {
            let shown = self.value("document.body.innerText").await;
            return waited.with_context(|| format!("the page shows {shown:?}"));
        }
        waited
    }

    /// Waits until an element, by its id, holds a text.
    pub async fn until_told(&self, id: &str, text: &str) -> Result<()> {
        let text = json!(text);
        self.until(&format!("document.getElementById('{id}').textContent.includes({text})")).await
    }

    /// Waits until a part of the page, by its id, is shown.
    pub async fn until_shown(&self, id: &str) -> Result<()> {
        self.until(&format!("document.getElementById('{id}').hidden === false")).await
    }

    /// What bars people from this page as it is now: axe's findings.
    pub async fn barriers(&self) -> Result<Value> {
        self.tab.execute(AXE, Vec::new()).await?;
        let run = "const told = arguments[0]; \
                   axe.run().then((found) => told(found.violations), (error) => told(String(error)));";
        Ok(self.tab.execute_async(run, Vec::new()).await?)
    }

    /// What the console held since it was last asked, one text a message.
    pub async fn console(&self) -> Result<Vec<String>> {
        let session = self.tab.session_id().await?.context("there should be a session")?;
        let url = format!("http://127.0.0.1:{}/session/{session}/se/log", self.port);
        let http = reqwest::Client::builder().no_proxy().build()?;
        let reply: Value = http.post(url).json(&json!({"type": "browser"})).send().await?.json().await?;
        let entries = reply["value"].as_array().with_context(|| format!("no log: {reply}"))?;
        Ok(entries.iter().map(|entry| entry["message"].to_string()).collect())
    }
}

async fn told_port(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<u16> {
    while let Some(line) = lines.next_line().await? {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            return Ok(port.trim_end_matches('.').parse()?);
        }
    }
    bail!("chromedriver ended; {PACKAGES}")
}
