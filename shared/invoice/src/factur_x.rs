//! What a PDF says of its e-invoice: the Factur-X properties in its metadata, and the schema that PDF/A asks for.
//!
//! Typst attaches the file and cannot write properties of others. They are added as an update behind the PDF, so
//! everything before stays as it was written. The schema goes into the list of schemas that is there: with a second list
//! a file is no PDF/A, and most checkers do not notice.

use crate::RenderError;
use lopdf::{Dictionary, Document, IncrementalDocument, Object, Stream};

/// Where the list of schemas begins, in XMP as Typst writes it.
const SCHEMAS: &str = "<pdfaExtension:schemas><rdf:Bag>";
/// Where what is described ends.
const END: &str = "</rdf:RDF>";

const SCHEMA: &str = concat!(
    "<rdf:li rdf:parseType=\"Resource\">",
    "<pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>",
    "<pdfaSchema:namespaceURI>urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#</pdfaSchema:namespaceURI>",
    "<pdfaSchema:prefix>fx</pdfaSchema:prefix>",
    "<pdfaSchema:property><rdf:Seq>",
    "<rdf:li rdf:parseType=\"Resource\"><pdfaProperty:name>DocumentFileName</pdfaProperty:name>",
    "<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>",
    "<pdfaProperty:description>The name of the embedded XML document</pdfaProperty:description></rdf:li>",
    "<rdf:li rdf:parseType=\"Resource\"><pdfaProperty:name>DocumentType</pdfaProperty:name>",
    "<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>",
    "<pdfaProperty:description>The type of the hybrid document in capital letters</pdfaProperty:description></rdf:li>",
    "<rdf:li rdf:parseType=\"Resource\"><pdfaProperty:name>Version</pdfaProperty:name>",
    "<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>",
    "<pdfaProperty:description>The version of the standard</pdfaProperty:description></rdf:li>",
    "<rdf:li rdf:parseType=\"Resource\"><pdfaProperty:name>ConformanceLevel</pdfaProperty:name>",
    "<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>external</pdfaProperty:category>",
    "<pdfaProperty:description>The conformance level of the XML document</pdfaProperty:description></rdf:li>",
    "</rdf:Seq></pdfaSchema:property></rdf:li>",
);

const PROPERTIES: &str = concat!(
    "<rdf:Description rdf:about=\"\" xmlns:fx=\"urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#\">",
    "<fx:DocumentType>INVOICE</fx:DocumentType>",
    "<fx:DocumentFileName>factur-x.xml</fx:DocumentFileName>",
    "<fx:Version>1.0</fx:Version>",
    "<fx:ConformanceLevel>EN 16931</fx:ConformanceLevel>",
    "</rdf:Description>",
);

/// The PDF with the properties of its e-invoice. The same PDF gives the same bytes.
pub(crate) fn declare(pdf: Vec<u8>) -> Result<Vec<u8>, RenderError> {
    let broken = |error: lopdf::Error| RenderError::Metadata(error.to_string());
    let read = Document::load_mem(&pdf).map_err(broken)?;
    let place = read
        .catalog()
        .and_then(|catalog| catalog.get(b"Metadata"))
        .and_then(Object::as_reference)
        .map_err(broken)?;
    let metadata = read.get_object(place).and_then(Object::as_stream).map_err(broken)?;
    let xmp = String::from_utf8(metadata.content.clone())
        .map_err(|_| RenderError::Metadata("the metadata is not text".to_owned()))?;
    let declared = with_properties(&xmp)?;
    let mut entries = Dictionary::new();
    entries.set("Type", Object::Name(b"Metadata".to_vec()));
    entries.set("Subtype", Object::Name(b"XML".to_vec()));
    let stream = Stream::new(entries, declared.into_bytes()).with_compression(false);
    let mut update = IncrementalDocument::create_from(pdf, read);
    update.new_document.set_object(place, stream);
    let mut bytes = Vec::new();
    update.save_to(&mut bytes).map_err(|error| RenderError::Metadata(error.to_string()))?;
    Ok(bytes)
}

fn with_properties(xmp: &str) -> Result<String, RenderError> {
    let missing = |what: &str| RenderError::Metadata(format!("there is no {what} in the metadata"));
    if xmp.matches(SCHEMAS).count() != 1 {
        return Err(missing("list of schemas"));
    }
    let xmp = xmp.replacen(SCHEMAS, &format!("{SCHEMAS}{SCHEMA}"), 1);
    let (described, end) = xmp.rsplit_once(END).ok_or_else(|| missing("description"))?;
    Ok(format!("{described}{PROPERTIES}{END}{end}"))
}
