//! What a source file mentions: paths, resolved as far as its own `use` lines and module tell, and constructs.
//!
//! Comments and string literals are no code and mention nothing; code under `#[cfg(test)]` is left out.

use std::collections::HashMap;

use proc_macro2::{Span, TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta, UseTree};

/// Segments from the crate's root (`crate::id::Ttl`) or from an outer crate (`std::time::Duration`). A glob ends in `*`.
pub(crate) type Path = Vec<String>;

/// Something that a rule can forbid besides paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Construct {
    /// `async` or `.await`
    Async,
    /// `unsafe`, in tests too
    Unsafe,
    /// `#[doc(hidden)]`: public, but not part of the public API
    HiddenFromDocs,
    /// `#[path = ...]` or `include!`: code of another layer under one's own name
    ForeignFile,
}

/// One source file.
pub(crate) struct Source {
    /// `crate::quorum::round`, or `cli::...`, `examples::...`, `tests::...` outside the library.
    pub(crate) module: Path,
    pub(crate) paths: Vec<(Path, usize)>,
    pub(crate) constructs: Vec<(Construct, usize)>,
    /// Modules that it declares under `#[cfg(test)]`.
    pub(crate) test_modules: Vec<Path>,
    /// What it names by `use`: the crate's root re-exports are read from `lib.rs`.
    pub(crate) imports: HashMap<String, Vec<Path>>,
    /// What `use` lines and `mod` lines without any restriction make visible.
    pub(crate) public: Vec<String>,
}

impl Source {
    pub(crate) fn parse(module: &str, code: &str) -> syn::Result<Self> {
        let file = syn::parse_file(code)?;
        let module: Path = module.split("::").map(str::to_owned).collect();
        let mut outline = Outline { module: module.clone(), ..Outline::default() };
        outline.visit_file(&file);
        let mut scan =
            Scan { outline: &outline, module: module.clone(), paths: Vec::new(), constructs: Vec::new() };
        scan.visit_file(&file);
        let Scan { paths, mut constructs, .. } = scan;
        find_unsafe(code.parse()?, &mut constructs);
        let Outline { test_modules, imports, public, .. } = outline;
        Ok(Self { module, paths, constructs, test_modules, imports, public })
    }
}

/// First pass: the names that the second one needs to resolve paths.
#[derive(Default)]
struct Outline {
    module: Path,
    imports: HashMap<String, Vec<Path>>,
    /// Module declarations, each with the module that it is in.
    modules: Vec<Path>,
    test_modules: Vec<Path>,
    public: Vec<String>,
}

impl Visit<'_> for Outline {
    fn visit_item(&mut self, item: &Item) {
        if let Item::Mod(module) = item {
            let mut path = self.module.clone();
            path.push(module.ident.to_string());
            if is_for_tests(&module.attrs) {
                self.test_modules.push(path);
                return;
            }
            if matches!(module.vis, syn::Visibility::Public(_)) {
                self.public.push(module.ident.to_string());
            }
            self.modules.push(path.clone());
            let outer = std::mem::replace(&mut self.module, path);
            visit::visit_item(self, item);
            self.module = outer;
        } else if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        for (path, name, _) in leaves(&item.tree) {
            if matches!(item.vis, syn::Visibility::Public(_)) {
                self.public.push(name.clone());
            }
            self.imports.entry(name).or_default().push(anchored(&path, &self.module, &self.modules));
        }
    }
}

/// Second pass: every mention.
struct Scan<'a> {
    outline: &'a Outline,
    module: Path,
    paths: Vec<(Path, usize)>,
    constructs: Vec<(Construct, usize)>,
}

impl Scan<'_> {
    /// Names of one segment are local or were imported, and the import itself is a mention already.
    fn mention(&mut self, path: &[String], span: Span) {
        let [first, rest @ ..] = path else { return };
        if rest.is_empty() {
            return;
        }
        let line = span.start().line;
        if let Some(imported) = self.outline.imports.get(first) {
            let full = imported.iter().map(|import| ([import.as_slice(), rest].concat(), line));
            self.paths.extend(full);
        } else if is_module_or_crate(first) {
            self.paths.push((anchored(path, &self.module, &self.outline.modules), line));
        }
    }

    fn construct(&mut self, construct: Construct, span: Span) {
        self.constructs.push((construct, span.start().line));
    }

    /// Macros and attributes are not parsed: whatever looks like a path in them is one.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(ident) if *ident == "async" || *ident == "await" => {
                    self.construct(Construct::Async, ident.span());
                }
                TokenTree::Ident(ident) => {
                    let is_member = at > 0 && is_punct(&tokens[at - 1], '.');
                    let mut path = vec![ident.to_string()];
                    while let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                        && is_punct(&tokens[at + 1], ':')
                        && is_punct(&tokens[at + 2], ':')
                    {
                        path.push(next.to_string());
                        at += 3;
                    }
                    if !is_member {
                        self.mention(&path, ident.span());
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }
}

impl Visit<'_> for Scan<'_> {
    fn visit_item(&mut self, item: &Item) {
        if is_for_tests(attributes(item)) {
            return;
        }
        if let Item::Mod(module) = item {
            self.module.push(module.ident.to_string());
            visit::visit_item(self, item);
            self.module.pop();
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        for (path, _, span) in leaves(&item.tree) {
            self.paths.push((anchored(&path, &self.module, &self.outline.modules), span.start().line));
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let segments: Path = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.mention(&segments, path.span());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &syn::Macro) {
        if item.path.is_ident("include") {
            self.construct(Construct::ForeignFile, item.path.span());
        }
        self.tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }

    fn visit_attribute(&mut self, attribute: &Attribute) {
        let path = attribute.path();
        if path.is_ident("path") {
            self.construct(Construct::ForeignFile, path.span());
        }
        if let Meta::List(list) = &attribute.meta {
            if path.is_ident("doc") && list.tokens.to_string() == "hidden" {
                self.construct(Construct::HiddenFromDocs, path.span());
            }
            self.tokens(list.tokens.clone());
        }
        self.mention(&path.segments.iter().map(|s| s.ident.to_string()).collect::<Path>(), path.span());
    }

    fn visit_signature(&mut self, signature: &syn::Signature) {
        if let Some(keyword) = &signature.asyncness {
            self.construct(Construct::Async, keyword.span());
        }
        visit::visit_signature(self, signature);
    }

    fn visit_expr(&mut self, expression: &syn::Expr) {
        let is_async = match expression {
            syn::Expr::Await(_) | syn::Expr::Async(_) => true,
            syn::Expr::Closure(closure) => closure.asyncness.is_some(),
            _ => false,
        };
        if is_async {
            self.construct(Construct::Async, expression.span());
        }
        visit::visit_expr(self, expression);
    }
}

fn find_unsafe(tokens: TokenStream, found: &mut Vec<(Construct, usize)>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) if ident == "unsafe" => {
                found.push((Construct::Unsafe, ident.span().start().line));
            }
            TokenTree::Group(group) => find_unsafe(group.stream(), found),
            _ => {}
        }
    }
}

/// The path from the crate's root or from an outer crate.
fn anchored(path: &[String], module: &[String], modules: &[Path]) -> Path {
    let mut base = module.to_vec();
    match path.first().map(String::as_str) {
        Some("self") => [base.as_slice(), &path[1..]].concat(),
        Some("super") => {
            base.pop();
            anchored_in(&path[1..], &base)
        }
        Some(first) => {
            base.push(first.to_owned());
            if modules.contains(&base) { [base.as_slice(), &path[1..]].concat() } else { path.to_vec() }
        }
        None => base,
    }
}

/// What follows a `super`: further ones, or a path below the module that they lead to.
fn anchored_in(path: &[String], base: &[String]) -> Path {
    match path.first().map(String::as_str) {
        Some("super") => anchored_in(&path[1..], &base[..base.len().saturating_sub(1)]),
        _ => [base, path].concat(),
    }
}

/// Every name that a `use` tree brings in: its path, its local name, its place.
fn leaves(tree: &UseTree) -> Vec<(Path, String, Span)> {
    fn walk(tree: &UseTree, mut path: Path, out: &mut Vec<(Path, String, Span)>) {
        match tree {
            UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                walk(&inner.tree, path, out);
            }
            UseTree::Group(group) => group.items.iter().for_each(|item| walk(item, path.clone(), out)),
            UseTree::Name(name) => {
                if name.ident != "self" {
                    path.push(name.ident.to_string());
                }
                let local = path.last().cloned().unwrap_or_default();
                out.push((path, local, name.ident.span()));
            }
            UseTree::Rename(rename) => {
                if rename.ident != "self" {
                    path.push(rename.ident.to_string());
                }
                out.push((path, rename.rename.to_string(), rename.ident.span()));
            }
            UseTree::Glob(glob) => {
                path.push("*".to_owned());
                out.push((path, "*".to_owned(), glob.span()));
            }
        }
    }
    let mut out = Vec::new();
    walk(tree, Path::new(), &mut out);
    out
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string().replace(' ', "");
            condition == "test" || condition.starts_with("all(test,")
        }
        meta => meta.path().is_ident("test"),
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// By its spelling: types begin with a capital, except the primitive ones.
fn is_module_or_crate(name: &str) -> bool {
    const PRIMITIVES: &[&str] = &[
        "bool", "char", "str", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128",
        "isize", "f32", "f64",
    ];
    !name.starts_with(char::is_uppercase) && !PRIMITIVES.contains(&name)
}
