//! Small steps over `quick-xml` that the XML formats (GIFTI, CIFTI-2) share: attributes, text of an element, errors with places.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::{Error, Result};

/// The text of a document, which is UTF-8.
pub(crate) fn decoded(text: &[u8]) -> Result<&str> {
    std::str::from_utf8(text).map_err(|error| Error::codec("the XML", error).at(error.valid_up_to() as u64))
}

/// The value of the attribute `name`, entities resolved.
pub(crate) fn optional_attribute(tag: &BytesStart<'_>, name: &str) -> Result<Option<String>> {
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| Error::codec("an attribute", error))?;
        if attribute.key.as_ref() == name {
            let value =
                quick_xml::escape::unescape(&attribute.value).map_err(|error| Error::codec("an attribute", error))?;
            return Ok(Some(value.into_owned()));
        }
    }
    Ok(None)
}

/// As [`optional_attribute`]; one that is missing is an error.
pub(crate) fn attribute(tag: &BytesStart<'_>, name: &str) -> Result<String> {
    optional_attribute(tag, name)?.ok_or_else(|| {
        let element = tag.name().as_ref().to_owned();
        Error::malformed(format!("the attribute `{name}` of `{element}`"), "given", "missing")
    })
}

/// The text up to the end of the element `name`, whose start was read. Elements inside are passed over.
pub(crate) fn text_of(reader: &mut Reader<&[u8]>, name: &str) -> Result<String> {
    let mut out = String::new();
    let mut depth = 0usize;
    loop {
        match reader.read_event().map_err(|error| xml_error(&error, reader))? {
            Event::Text(text) => {
                out.push_str(&text);
            }
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref().map_err(|error| xml_error(&error, reader))?;
                match (character, quick_xml::escape::resolve_predefined_entity(&reference)) {
                    (Some(character), _) => out.push(character),
                    (None, Some(text)) => out.push_str(text),
                    (None, None) => return Err(Error::malformed("an entity", "one of XML", shortened(&reference))),
                }
            }
            Event::CData(data) => {
                out.push_str(&data);
            }
            Event::Start(_) => depth += 1,
            Event::End(tag) if depth == 0 && tag.name().as_ref() == name => return Ok(out),
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Eof => {
                let position = reader.buffer_position();
                return Err(Error::truncated(format!("the element `{name}`"), position + 1, position));
            }
            _ => {}
        }
    }
}

/// The XML reader's refusal with its place.
pub(crate) fn xml_error(error: &quick_xml::Error, reader: &Reader<&[u8]>) -> Error {
    Error::codec("the XML", error).at(reader.error_position())
}

/// The beginning of a text, for a message.
pub(crate) fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    if text.chars().count() <= SHOWN { text.to_owned() } else { text.chars().take(SHOWN).collect::<String>() + "…" }
}
