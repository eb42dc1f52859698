//! The command line for simulations and banks: known figures, and invalid files.

use anyhow::Result;
use harness::cluster::workspace;
use harness::process::program;
use std::path::PathBuf;
use std::process::Output;
use tokio::process::Command;

pub async fn run(words: &[&str]) -> Result<Output> {
    Ok(Command::new(program("exam-service")?).args(words).output().await?)
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn data(name: &str) -> String {
    workspace().join("engine/tests/data").join(name).to_string_lossy().into_owned()
}

/// The reference simulation, from the command line to the last digit of its results.
#[tokio::test]
async fn the_reference_simulation_is_reproduced() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let (out, plot) = (path("results.csv"), path("plot.svg"));
    let (bank, thetas) = (data("tcals_items.csv"), data("tcals_simulation/thetas.csv"));
    let answers = data("tcals_simulation/responses_tcals.txt");
    let simulated = run(&[
        "simulate",
        "--bank",
        &bank,
        "--profile",
        "catR",
        "--items",
        "20",
        "--thetas",
        &thetas,
        "--responses",
        &answers,
        "--out",
        &out.to_string_lossy(),
        "--plot",
        &plot.to_string_lossy(),
    ])
    .await?;
    let said = said(&simulated);
    assert!(simulated.status.success(), "{said}");
    let expected = std::fs::read_to_string(data("tcals_simulation/expected_tcals.csv"))?;
    assert!(std::fs::read_to_string(out)? == expected, "the results are not those of the reference");
    // Figures published for catR on the same answers.
    let figure = |name: &str| {
        let line = said.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().last().unwrap_or_default().to_owned()
    };
    let expected = [
        ("bias", "-0.0020"),
        ("RMSE", "0.2949"),
        ("mean SE", "0.2756"),
        ("correlation", "0.9538"),
        ("exposure, max", "1.000"),
        ("exposure, mean", "0.235"),
        ("items never used", "18"),
        ("overlap", "0.538"),
    ];
    for (name, value) in expected {
        assert_eq!(figure(name), value, "{name}: {said}");
    }
    let picture = std::fs::read_to_string(plot)?;
    assert!(picture.starts_with("<svg") && picture.contains("RMSE by ability"));
    Ok(())
}

#[tokio::test]
async fn two_policies_meet_the_same_answers() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let file = folder.path().join("random.toml");
    std::fs::write(&file, "[selection]\ncriterion = \"random\"\n[stop]\nmin_items = 15\n")?;
    let file = file.to_string_lossy();
    let words = [
        "simulate",
        "--scaling",
        "1.7",
        "-n",
        "300",
        "--profile",
        "catR",
        "--items",
        "15",
        "--against",
        &file,
    ];
    let (first, second) = (run(&words).await?, run(&words).await?);
    assert!(first.status.success(), "{}", said(&first));
    assert_eq!(first.stdout, second.stdout, "the same seed, the same figures");
    let said = said(&first);
    let rmse = said.lines().find(|line| line.starts_with("RMSE")).unwrap_or_default();
    let rmse: Vec<f64> = rmse.split_whitespace().skip(1).map(|word| word.parse().unwrap()).collect();
    assert!(rmse[0] < rmse[1], "adaptive should be better than random: {said}");
    Ok(())
}

#[tokio::test]
async fn faulty_files_are_reported_by_line() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (bank, thetas, answers, policy) =
        (path("bank.csv"), path("thetas.csv"), path("answers.txt"), path("policy.toml"));
    std::fs::write(&bank, "item_id,a,b\ny,0,0\nz,1,none\n")?;
    std::fs::write(&thetas, "simulee,theta\n1,0\n2,much\n")?;
    std::fs::write(&answers, "01\n0\n")?;
    std::fs::write(&policy, "colour = 1\n[stop]\nmax_items = 0\n")?;
    let good = data("tcals_items.csv");
    let good_thetas = data("tcals_simulation/thetas.csv");
    let cases: [(&[&str], &[&str]); 5] = [
        (&["bank", "check", &bank], &["no item", "line 2: a is 0", "line 3: b is \"none\""]),
        (&["simulate", "--bank", &good, "--thetas", &thetas], &["line 3", "\"much\" is no ability"]),
        (
            &["simulate", "--bank", &good, "--thetas", &good_thetas, "--responses", &answers],
            &["line 1", "2 answers for 85 items"],
        ),
        (&["simulate", "--policy", &policy], &["policy.toml", "unknown field `colour`"]),
        (&["simulate", "--responses", &answers], &["--responses needs --thetas"]),
    ];
    for (words, expected) in cases {
        let output = run(words).await?;
        assert!(!output.status.success(), "{words:?}");
        for word in expected {
            assert!(said(&output).contains(word), "{words:?}: {word:?} is not in {}", said(&output));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_bank_is_surveyed() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let bank = folder.path().join("bank.csv");
    std::fs::write(&bank, "item_id,a,b,c\ngood,1.2,0,0.2\nflat,0.02,0,\nfar,1,9.5,\nguessed,1,0,0.56\n")?;
    let output = run(&["bank", "check", &bank.to_string_lossy()]).await?;
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    for item in ["flat: a = 0.02", "far: b = 9.5", "guessed: c = 0.56", "Gaps"] {
        assert!(said.contains(item), "{item} is not in {said}");
    }
    assert!(!said.contains("good:"), "{said}");
    Ok(())
}

/// Real banks hold rows that cannot be: they are kept out, with their reasons, and the rest is used.
#[tokio::test]
async fn invalid_rows_are_quarantined() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let bank = folder.path().join("bank.csv");
    let rows = [
        "item_id,model,a,b,c,delta1,delta2,exposure_k,p_value",
        "good,3PL,1,0,0.2,,,,0.5",
        "twice,2PL,1,0,,,,,0.5",
        "twice,2PL,1,1,,,,,0.5",
        "unknown,5PL,1,0,,,,,0.5",
        "flat,2PL,0,0,,,,,0.5",
        "guess,3PL,1,0,1,,,,0.5",
        "far,2PL,1,1e300,,,,,0.5",
        "nan,2PL,NaN,0,,,,,0.5",
        "steps,GPCM,1,,,-1,1,,0.5",
        "short,GPCM,1,,,,,,0.5",
        "often,2PL,1,0,,,,2,0.5",
        "ragged,2PL,1",
        ",2PL,1,0,,,,,0.5",
    ];
    std::fs::write(&bank, rows.join("\n"))?;
    let bank = bank.to_string_lossy();
    let checked = run(&["bank", "check", &bank, "--carry", "p_value", "--quarantine"]).await?;
    let said = said(&checked);
    assert!(checked.status.success(), "{said}");
    assert!(said.contains("3 items"), "good, the first twice, and steps: {said}");
    assert!(said.contains("columns not read: p_value"), "{said}");
    for (line, reason) in [
        (4, "\"twice\" stands on an earlier line too"),
        (5, "model is \"5PL\""),
        (6, "a is 0"),
        (7, "0 <= c < d <= 1"),
        (8, "b is"),
        (9, "a is blank"),
        (11, "b is blank"),
        (12, "exposure_k is 2"),
        (13, "has 3 columns, the heading 9"),
        (14, "item_id is blank"),
    ] {
        let kept_out = said.lines().find(|told| told.starts_with(&format!("kept out: line {line}:")));
        assert!(kept_out.is_some_and(|told| told.contains(reason)), "line {line}, {reason:?}: {said}");
    }
    let simulated = run(&["simulate", "--bank", &bank, "--carry", "p_value", "-n", "50"]).await?;
    assert!(simulated.status.success() && !simulated.stdout.is_empty());
    Ok(())
}
