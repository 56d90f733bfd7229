//! What the options of a curl command send: data, from files too, and parts of a form.

use std::path::{Path, PathBuf};

use crate::quick::{Content, Files, Part, QuickError};

/// What one option adds to the body.
pub(super) fn one_datum(id: &str, value: &str, files: Files<'_>) -> Result<String, QuickError> {
    match (id, value.strip_prefix('@')) {
        ("data_urlencode", _) => encoded(value, files),
        ("data_raw", _) | (_, None) => Ok(value.to_owned()),
        // Data from a file lose their line ends, as with curl; JSON and binary data do not.
        ("data", Some(path)) => Ok(text_of(path, files)?.replace(['\r', '\n', '\0'], "")),
        (_, Some(path)) => text_of(path, files),
    }
}

/// `--data-urlencode`: `text`, `=text`, `name=text`, `@file` or `name@file`.
fn encoded(value: &str, files: Files<'_>) -> Result<String, QuickError> {
    let encode =
        |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let cut = value.find(['=', '@']);
    let Some(cut) = cut else { return Ok(encode(value)) };
    let (name, text) = (&value[..cut], &value[cut + 1..]);
    let text = if value[cut..].starts_with('@') { text_of(text, files)? } else { text.to_owned() };
    let joint = if name.is_empty() { "" } else { "=" };
    Ok(format!("{name}{joint}{}", encode(&text)))
}

fn text_of(path: &str, files: Files<'_>) -> Result<String, QuickError> {
    if path == "-" {
        let help = "name a file: the run may read it more than once";
        return Err(QuickError::new("standard input is not read for a body", help));
    }
    let bytes = files(Path::new(path)).map_err(|error| {
        QuickError::new(format!("cannot read `{path}`: {error}"), "correct the name behind the `@`")
    })?;
    String::from_utf8(bytes).map_err(|_| {
        QuickError::new(format!("`{path}` is not a text"), "send it with `--data-binary @FILE`")
    })
}

/// `name=text`, `name=@file;type=..;filename=..` or `name=<file`.
pub(super) fn part(field: &str, files: Files<'_>) -> Result<Part, QuickError> {
    let (name, value) = field.split_once('=').ok_or_else(|| no_field(field))?;
    let mut settings = value.split(';');
    let begin = settings.next().unwrap_or("");
    let mut media_type = None;
    let mut file_name = None;
    let mut rest = String::new();
    for setting in settings {
        match setting.trim().split_once('=') {
            Some(("type", text)) => media_type = Some(text.to_owned()),
            Some(("filename", text)) => file_name = Some(text.trim_matches('"').to_owned()),
            // A `;` that begins no setting belongs to the text.
            _ => {
                rest.push(';');
                rest.push_str(setting);
            }
        }
    }
    let content = if let Some(path) = begin.strip_prefix('@') {
        Content::File(PathBuf::from(path), file_name)
    } else if let Some(path) = begin.strip_prefix('<') {
        Content::Text(text_of(path, files)?)
    } else {
        Content::Text(format!("{begin}{rest}"))
    };
    Ok(Part { name: name.to_owned(), content, media_type })
}

pub(super) fn no_field(field: &str) -> QuickError {
    QuickError::new(format!("`{field}` is no field of a form"), "write it as `name=value`")
}
