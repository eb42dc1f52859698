//! The source files of a crate, and what each one names.
//!
//! Input: the folder of a crate. Output: its modules, with every path in their tokens. Tokens inside macros count;
//! comments, strings and `mod tests { … }` do not. Must not know: the rules.

use anyhow::{Context, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One source file.
pub struct Source {
    /// Where it is, from the top of the workspace.
    pub file: PathBuf,
    /// Its module path; `main` and `lib` for the roots.
    pub module: Vec<String>,
    /// Number of lines.
    pub lines: usize,
    /// Paths in its tokens, as segments.
    pub paths: BTreeSet<Vec<String>>,
    /// Submodules it declares in files of their own.
    pub declares: BTreeSet<String>,
}

/// Reads every source file below `<crate>/src`.
pub fn read(name: &str) -> anyhow::Result<BTreeMap<Vec<String>, Source>> {
    let root = Path::new(name).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = BTreeMap::new();
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?
        {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = parse(path, &root)?;
                sources.insert(source.module.clone(), source);
            }
        }
    }
    Ok(sources)
}

fn parse(file: PathBuf, root: &Path) -> anyhow::Result<Source> {
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let tokens: TokenStream = text.parse().map_err(|error| anyhow!("{}: {error}", file.display()))?;
    let module = file.strip_prefix(root)?.with_extension("");
    let module = module.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let (mut paths, mut declares) = (BTreeSet::new(), BTreeSet::new());
    collect(tokens, &[], &mut paths, &mut declares);
    Ok(Source { file, module, lines: text.lines().count(), paths, declares })
}

/// Collects the paths of a token stream. `prefix` are the segments before it: `a::{b, c}` holds `a::b` and `a::c`.
fn collect(
    tokens: TokenStream,
    prefix: &[String],
    paths: &mut BTreeSet<Vec<String>>,
    declares: &mut BTreeSet<String>,
) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Ident(word) if word == "mod" => {
                let Some(TokenTree::Ident(name)) = tokens.get(at) else { continue };
                match tokens.get(at + 1) {
                    Some(TokenTree::Punct(_)) => drop(declares.insert(name.to_string())),
                    // Tests may use what they need.
                    Some(TokenTree::Group(_)) if name == "tests" => at += 2,
                    _ => {}
                }
            }
            TokenTree::Ident(word) => {
                let mut path = prefix.to_vec();
                path.push(word.to_string());
                while colon(at) && colon(at + 1) {
                    at += 2;
                    match tokens.get(at) {
                        Some(TokenTree::Ident(word)) => path.push(word.to_string()),
                        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                            collect(group.stream(), &path, paths, declares);
                        }
                        _ => break,
                    }
                    at += 1;
                }
                paths.insert(path);
            }
            TokenTree::Group(group) => collect(group.stream(), &[], paths, declares),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}
