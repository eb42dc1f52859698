//! CORS: pages of other origins may call only if Settings list their origin.

use anyhow::Result;
use harness::service::Setup;
use harness::{Service, wait};
use reqwest::{Method, Response};
use std::time::Duration;

const LISTED: &str = "https://exams.school.example";

async fn asked(service: &Service, method: Method, origin: &str) -> Result<Response> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("http://{}/api/adaptive/start", service.api());
    let request = http.request(method, url).header("origin", origin);
    let request = request
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,idempotency-key");
    Ok(request.send().await?)
}

fn allowed(response: &Response) -> Option<&str> {
    response.headers().get("access-control-allow-origin")?.to_str().ok()
}

#[tokio::test]
async fn only_listed_origins_may_call() -> Result<()> {
    let secret = "[auth]\nmode = \"token\"\ntoken_file = \"tokens\"\n";
    let mut service = Service::stopped(Setup::default())?;
    std::fs::write(service.path("tokens"), "0123456789abcdef\n")?;
    service.set_settings(secret);
    service.restart(None).await?;
    for method in [Method::OPTIONS, Method::POST] {
        assert_eq!(allowed(&asked(&service, method, LISTED).await?), None, "off unless listed");
    }
    let text = format!("{secret}[api]\nallow_origins = [\"{LISTED}\"]\n");
    std::fs::write(service.path("settings.toml"), text)?;
    let preflight = wait::until("the list is taken up", Duration::from_secs(10), || async {
        asked(&service, Method::OPTIONS, LISTED).await.ok().filter(|response| allowed(response).is_some())
    })
    .await?;
    // A preflight carries no token and needs none.
    assert_eq!((preflight.status().as_u16(), allowed(&preflight)), (200, Some(LISTED)));
    let headers = preflight.headers()["access-control-allow-headers"].to_str()?.to_owned();
    assert!(headers.contains("idempotency-key") && headers.contains("authorization"), "{headers}");
    let call = asked(&service, Method::POST, LISTED).await?;
    assert_eq!(
        (call.status().as_u16(), allowed(&call)),
        (401, Some(LISTED)),
        "who calls is asked all the same"
    );
    for other in [
        "https://evil.example",
        "http://exams.school.example",
        "https://exams.school.example.evil.example",
        "null",
    ] {
        for method in [Method::OPTIONS, Method::POST] {
            assert_eq!(allowed(&asked(&service, method, other).await?), None, "{other}");
        }
    }
    Ok(())
}
