//! A service with invalid Settings does not start, and reports every fault.

use anyhow::Result;
use harness::Service;
use harness::service::Setup;

async fn refusal(settings: &str, files: &[(&str, &str)]) -> Result<String> {
    let service = Service::stopped(Setup::default())?;
    for (name, text) in files {
        std::fs::write(service.path(name), text)?;
    }
    std::fs::write(service.path("settings.toml"), settings)?;
    let output = service.command()?.args(["serve", "--settings", "settings.toml"]).output().await?;
    assert!(!output.status.success(), "it started with {settings}");
    assert!(!service.database().exists(), "a service that does not start should leave no database");
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test]
async fn every_fault_of_a_settings_file_is_reported() -> Result<()> {
    let said =
        refusal("[api]\nbind = \"here\"\nport = 1\n[store]\nmode = \"sentinal\"\n[extra]\n", &[]).await?;
    for fault in ["settings.toml", "api.bind", "api.port", "store.mode", "extra"] {
        assert!(said.contains(fault), "{fault} is not told: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_bank_without_a_valid_row_is_refused_with_every_reason() -> Result<()> {
    let bank = "item_id,a,b,c,d,key,choice_1,choice_2\n\
                flat,0,0,,,,,\n\
                word,one,0,,,,,\n\
                guess,1,0,0.9,0.5,,,\n\
                ,1,1,,,,,\n\
                key,1,0,,,3,x,y\n";
    let settings = "[[banks]]\nname = \"mine\"\nfile = \"mine.csv\"\nscaling = 1.0\n";
    let said = refusal(settings, &[("mine.csv", bank)]).await?;
    for line in ["line 2", "line 3", "line 4", "line 5", "line 6"] {
        assert!(said.contains(line), "{line} is not told: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn a_second_service_on_one_database_is_refused() -> Result<()> {
    let service = Service::start().await?;
    let mut second = service.command()?;
    let output = second.args(["serve", "--api", "127.0.0.1:0", "--ops", "127.0.0.1:0"]).output().await?;
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("no other exam-service using it"), "{said}");
    Ok(())
}

#[tokio::test]
async fn the_environment_does_not_override_a_settings_file() -> Result<()> {
    let setup = Setup {
        settings: Some("[database]\nurl = \"sqlite:mine.db\"\n".to_owned()),
        redis_url: Some("redis://127.0.0.1:1/0".to_owned()),
        ..Setup::default()
    };
    let service = Service::start_with(setup).await?;
    let health = service.client().get("/health/redis").await?.body;
    assert_eq!((&health["redis"], &health["mode"]), (&"disabled".into(), &"memory".into()));
    assert!(service.path("mine.db").exists());
    assert!(!service.database().exists(), "DATABASE_URL should not be honoured beside a file");
    Ok(())
}

#[tokio::test]
async fn ping_asks_every_dependency() -> Result<()> {
    let mut redis = harness::Redis::start().await?;
    let service = Service::stopped(Setup { redis_url: Some(redis.url()), ..Setup::default() })?;
    let ping = || async {
        let output = service.command()?.arg("ping").output().await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        anyhow::Ok((output.status.success(), said))
    };
    let (good, said) = ping().await?;
    assert!(
        good && said.contains("synchronous FULL; 0 open exams") && said.contains("basic, it answers"),
        "{said}"
    );
    redis.kill().await?;
    let (good, said) = ping().await?;
    let line = said.lines().find(|line| line.starts_with("store")).unwrap_or_default();
    assert!(!good && line.contains("FAILED") && line.contains("does not answer"), "{said}");
    Ok(())
}
