//! Bank files as people have them: what is read, what is refused and in which words, and what is only told.

use crate::simulate::{run, said};
use anyhow::{Context, Result};
use harness::service::Setup;
use harness::tokens::Signer;
use harness::{Client, Service};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use std::path::PathBuf;

/// A file of tests/suite/cases.
pub(crate) fn case(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("suite/cases").join(name)
}

/// Imports a bank for a dry run.
async fn import(client: &Client, query: &str, bytes: impl Into<Vec<u8>>) -> Result<(u16, Value)> {
    let path = format!("/banks?dry_run=true&{query}");
    let body: Vec<u8> = bytes.into();
    let reply = client.send_as(Method::PUT, &path, Some(body), &[("content-type", "text/csv")]).await?;
    Ok((reply.status, reply.body))
}

/// The command line on each file: options, whether it succeeds, and what it says.
#[rstest]
#[case("guess.csv", &[], false, &["column \"guessing\" is not known; if it is c, name it so", "--carry"])]
#[case("guess.csv", &["--carry", "guessing"], true, &["columns not read: guessing", "2 items"])]
#[case("model2pl_c.csv", &[], false, &["line 2: c is 0.25, and the model 2PL has no c", "line 3: d is 0.9", "line 5: c is 0.25, and the model 1PL", "3 rows are kept out"])]
#[case("model2pl_c.csv", &["--quarantine"], true, &["1 items"])]
#[case("hole_grm.csv", &[], false, &["line 2: b2 is blank, and b4 after it is not", "1 items"])]
#[case("hole_choice_min.csv", &[], false, &["choice_2 is blank, and choice_4 after it is not"])]
#[case("semicolon.csv", &[], true, &["2 items"])]
#[case("excel_true.csv", &[], true, &["3 items"])]
#[case("pandas.csv", &[], true, &["3 items", "I3: it has choices and no key"])]
#[case("r_na.csv", &[], true, &["2 items"])]
#[case("letterkey.csv", &[], true, &["3 items"])]
#[case("nokey.csv", &[], true, &["I1: it has choices and no key"])]
#[case("dupchoice.csv", &[], true, &["I1: choices 1 and 2 are the same"])]
#[case("mirt.csv", &[], false, &["slopes and intercepts of mirt", "--format mirt"])]
#[case("mirt.csv", &["--format", "mirt"], true, &["2 items"])]
#[case("mirt.csv", &["--format", "mirt", "--scaling", "1.7"], false, &["the parameters of mirt have D = 1"])]
#[case("scripts.csv", &[], true, &["5 items"])]
#[tokio::test]
async fn a_file_is_read_or_refused_in_words(
    #[case] file: &str,
    #[case] options: &[&str],
    #[case] is_good: bool,
    #[case] words: &[&str],
) -> Result<()> {
    let path = case(file);
    let path = path.to_string_lossy();
    let arguments: Vec<&str> = ["bank", "check", &*path].into_iter().chain(options.iter().copied()).collect();
    let output = run(&arguments).await?;
    let text = said(&output);
    assert_eq!(output.status.success(), is_good, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
    Ok(())
}

/// Forms of one file are one bank: the version is a hash of what was read.
#[tokio::test]
async fn every_form_of_a_file_is_the_same_bank() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    let plain = "item_id,a,b,c,field_test,text,choice_1,choice_2,key\nA,1.2,-0.5,0.2,true,Größe?,x,y,2\nB,0.9,1.1,,false,Q,x,y,1\n";
    let version = |reply: &Value| reply["version"].as_str().map(str::to_owned);
    let (status, reply) = import(&client, "scaling=1", plain).await?;
    let wanted = version(&reply).context("version")?;
    assert_eq!(status, 200, "{reply}");
    let german = plain.replace(',', ";").replace("1.2", "1,2").replace("0.5", "0,5").replace("0.2", "0,2");
    let german = german.replace("0.9", "0,9").replace("1.1", "1,1");
    let utf_16 = |text: &str, to: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(to).collect()
    };
    let latin: Vec<u8> = plain.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
    let row_names = |line: (usize, &str)| {
        format!("\"{}\",{}\n", if line.0 == 0 { String::new() } else { line.0.to_string() }, line.1)
    };
    let with_names: String = plain.lines().enumerate().map(row_names).collect();
    let forms: Vec<(&str, &str, Vec<u8>)> = vec![
        ("semicolons and decimal commas", "", german.clone().into_bytes()),
        ("Excel's line on the separator", "", format!("sep=;\r\n{german}").into_bytes()),
        ("tabs", "", plain.replace(',', "\t").into_bytes()),
        ("a byte order mark and CRLF", "", format!("\u{feff}{}", plain.replace('\n', "\r\n")).into_bytes()),
        ("UTF-16, little end first", "", utf_16(plain, u16::to_le_bytes)),
        ("UTF-16, big end first", "", utf_16(plain, u16::to_be_bytes)),
        ("Windows-1252", "&encoding=windows-1252", latin.clone()),
        ("booleans of Excel", "", plain.replace("true", "TRUE").replace("false", "FALSE").into_bytes()),
        ("booleans of Python", "", plain.replace("true", "True").replace("false", "False").into_bytes()),
        ("yes and no", "", plain.replace("true", "yes").replace("false", "no").into_bytes()),
        ("keys as floats", "", plain.replace("x,y,2", "x,y,2.0").replace("x,y,1", "x,y,1.0").into_bytes()),
        ("keys as letters", "", plain.replace("x,y,2", "x,y,B").replace("x,y,1", "x,y,a").into_bytes()),
        ("NA", "", plain.replace("1.1,,", "1.1,NA,").into_bytes()),
        ("row names of R and pandas", "", with_names.clone().into_bytes()),
        ("row names of write.table", "", with_names.replacen("\"\",", "", 1).replace(',', "\t").into_bytes()),
        (
            "blank lines and columns",
            "",
            format!("{}\n,,,,,,,,\n", plain.replace("key\n", "key,,\n")).into_bytes(),
        ),
        (
            "a carried column",
            "&columns=note",
            plain
                .replace(",text", ",note,text")
                .replace("true,", "true,n,")
                .replace("false,", "false,n,")
                .into_bytes(),
        ),
    ];
    for (what, query, bytes) in forms {
        let (status, reply) = import(&client, &format!("scaling=1{query}"), bytes).await?;
        assert_eq!((status, version(&reply)), (200, Some(wanted.clone())), "{what}: {reply}");
    }
    // A choice that R left out is told, because NA might have been meant.
    let missing = plain.replace("x,y,1", "x,NA,1");
    let (status, reply) = import(&client, "scaling=1", missing).await?;
    assert!(status == 200 && reply["notices"].to_string().contains("NA in the column choice_2"), "{reply}");
    // What cannot be read is named, with what reads it.
    for (bytes, words) in [
        (latin, ["not UTF-8", "windows-1252"]),
        (utf_16(plain, u16::to_le_bytes)[2..].to_vec(), ["UTF-16 without a byte order mark", "utf-16le"]),
        (plain.replace(',', "|").into_bytes(), ["vertical bars", "semicolons"]),
        (plain.replace(',', " ").into_bytes(), ["spaces", "semicolons"]),
        (plain.replace("1.2,", "1,2,").into_bytes(), ["10 columns, the heading 9", "decimal comma"]),
        (plain.replace("-0.5", "\"-0,5\"").into_bytes(), ["b is \\\"-0,5\\\"", "decimal point"]),
        (german.replace("1,1", "1.1").into_bytes(), ["b is \\\"1.1\\\"", "decimal comma"]),
    ] {
        let (_, reply) = import(&client, "scaling=1", bytes).await?;
        let told = reply.to_string();
        assert!(words.iter().all(|word| told.contains(word)), "{words:?}: {told}");
    }
    Ok(())
}

/// mirt's exports give the curves that mirt draws: b = -d / a1, and so for graded and partial credit items.
#[tokio::test]
async fn mirt_exports_are_the_items_they_stand_for() -> Result<()> {
    let service = Service::start().await?;
    let client = service.client();
    let mirt = "\"\",\"itemtype\",\"a1\",\"d\",\"g\",\"u\",\"d0\",\"d1\",\"d2\",\"ak0\",\"ak1\",\"ak2\"\n\
        \"Q1\",\"3PL\",1.25,-0.5,0.25,1,NA,NA,NA,NA,NA,NA\n\
        \"Q2\",\"graded\",2,NA,NA,NA,NA,1,-3,NA,NA,NA\n\
        \"Q3\",\"gpcm\",0.5,NA,NA,NA,0,1,-0.5,0,1,2\n\
        \"Q4\",\"nominal\",0.5,NA,NA,NA,0,1,-0.5,0,1.5,2\n";
    let ours = "item_id,model,a,b,c,b1,b2,delta1,delta2,alpha1,alpha2,c1,c2\n\
        Q1,3PL,1.25,0.4,0.25,,,,,,,,\nQ2,GRM,2,,,-0.5,1.5,,,,,,\nQ3,GPCM,0.5,,,,,-2,3,,,,\n\
        Q4,NRM,,,,,,,,0.75,1,1,-0.5\n";
    let (_, theirs) = import(&client, "format=mirt", mirt).await?;
    let (_, wanted) = import(&client, "scaling=1", ours).await?;
    assert_eq!((&theirs["version"], &theirs["items"]), (&wanted["version"], &json!(4)), "{theirs} {wanted}");
    assert!(theirs["notices"].to_string().contains("row names"), "{theirs}");
    let (status, refused) = import(&client, "format=mirt", "item_id,a1,a2,d\nQ1,1,0.5,0\n").await?;
    assert!(status == 422 && refused.to_string().contains("another dimension"), "{refused}");
    // Layouts of others are named when they are seen.
    for (heading, word) in [
        ("item,Dffclt,Dscrmn,Gussng", "ltm"),
        ("item,slope,threshold", "BILOG"),
        ("item_id,a,b,g,u", "IRTpars"),
        ("id,question,responseOptions,p1,p2", "Concerto"),
    ] {
        let (status, reply) = import(&client, "scaling=1", format!("{heading}\n")).await?;
        assert!(status == 422 && reply.to_string().contains(word), "{word}: {reply}");
    }
    Ok(())
}

/// Parameters that no real item has, and a bank too sharp for the default grid, are told and change nothing.
#[tokio::test]
async fn implausible_parameters_are_warned_of() -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let file = folder.path().join("sharp.csv");
    let rows: String = (0..20)
        .map(|number| format!("S{number},{},{}\n", 8 + number % 5, f64::from(number) / 10.0 - 1.0))
        .collect();
    std::fs::write(&file, format!("item_id,a,b\n{rows}"))?;
    let output = run(&["bank", "check", &file.to_string_lossy()]).await?;
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    for words in ["S0: a = 8: steeper than any real item", "catR's 33 are too few", "adaptive_eap"] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    let service = Service::start().await?;
    let (status, reply) = import(&service.client(), "scaling=1.7", "item_id,a,b\nS,3,0\nT,2.9,0\n").await?;
    let warned: Vec<&str> = reply["warnings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["item_id"].as_str())
        .collect();
    assert_eq!((status, warned), (200, vec!["S"]), "D a above 5, whatever D is: {reply}");
    Ok(())
}

/// A letter, a float or several are graded as what they stand for; texts keep their indentation.
#[tokio::test]
async fn keys_and_texts_arrive_as_they_were_meant() -> Result<()> {
    let settings = format!(
        "[[banks]]\nname = \"letters\"\nfile = \"{}\"\nscaling = 1.0\n[[banks]]\nname = \"code\"\nfile = \"{}\"\nscaling = 1.0\n\
         [exam_types.letters]\nbank = \"letters\"\nmax_items = 3\n[exam_types.code]\nbank = \"code\"\nmax_items = 2\n",
        case("letterkey.csv").display(),
        case("code.csv").display()
    );
    let service = Service::start_with(Setup { settings: Some(settings), ..Setup::default() }).await?;
    let client = service.client();
    for (choice, expected) in [(1, ["I2"].as_slice()), (2, &["I1"]), (3, &["I2", "I3"])] {
        let mut reply = client.post("/start", json!({"exam_type": "letters"})).await?.body;
        let exam = reply["exam_session_id"].clone();
        while let Some(item) = reply["item"]["id"].as_i64() {
            let code = reply["item"]["code"].as_str().context("code")?.to_owned();
            let body = json!({"exam_session_id": exam, "item_id": item, "choice": choice});
            reply = client.post("/answer", body).await?.body;
            assert_eq!(reply["correct"], expected.contains(&&*code), "{code} {choice}: {reply}");
        }
    }
    let shown = client.post("/start", json!({"exam_type": "code"})).await?.body;
    let text = shown["item"]["text"].as_str().context("text")?;
    assert!(text.contains("\n    total") || text.contains("\n  "), "the indentation is lost: {text:?}");
    Ok(())
}

/// Where students answer by themselves, an item that nobody can grade is refused; elsewhere the caller grades.
#[tokio::test]
async fn choices_without_a_key_are_refused_where_students_answer() -> Result<()> {
    let exams = format!(
        "[[banks]]\nname = \"nokey\"\nfile = \"{}\"\nscaling = 1.0\n[exam_types.quiz]\nbank = \"nokey\"\nmax_items = 2\n",
        case("nokey.csv").display()
    );
    let trusted = Service::start_with(Setup { settings: Some(exams.clone()), ..Setup::default() }).await?;
    assert_eq!(trusted.client().post("/start", json!({"exam_type": "quiz"})).await?.status, 200);
    let mut service = Service::stopped(Setup::default())?;
    let keys = service.path("keys.json");
    std::fs::write(&keys, Signer::key_set(&[&Signer::new("school")]))?;
    let auth = format!("[auth]\nmode = \"jwt\"\nkey_file = \"{}\"\naudience = \"exams\"\n", keys.display());
    service.set_settings(format!("{auth}{exams}"));
    let refused = format!("{:#}", service.restart(None).await.err().context("it should be refused")?);
    assert!(
        refused.contains("exam_types.quiz.bank") && refused.contains("\"I1\" has choices and no key"),
        "{refused}"
    );
    Ok(())
}
