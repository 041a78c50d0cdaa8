//! What the product counts on in an object store, held against two that know nothing of each other: the one of the
//! local cloud, and ministack (<https://pypi.org/project/ministack/>), which `make objects` starts.
//!
//! Links are used by a plain HTTP client that has only what a client of the portal is told: method, address, headers.
//! Where ministack differs from what S3 documents, the assertion says so; for our own store none is weaker.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy allows these in test functions only, and the harness has helpers"
)]

mod content;
mod erasure;
mod links;
mod memory;
mod parts;
mod store;
mod writing;

/// Each case as a test of its own against either store.
macro_rules! contract {
    ($($module:ident::$case:ident,)*) => {
        mod portico {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    crate::$module::$case(&crate::store::Store::portico(stringify!($case)).await).await;
                }
            )*
        }
        mod ministack {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "started by make objects, which starts ministack"]
                async fn $case() {
                    crate::$module::$case(&crate::store::Store::ministack(stringify!($case)).await).await;
                }
            )*
        }
    };
}

contract! {
    links::case_f01_an_upload_link_takes_what_was_declared_and_nothing_else,
    links::case_f01_a_link_of_a_part_takes_that_part_and_nothing_else,
    links::case_f06_a_download_link_gives_its_object_as_it_says_and_nothing_else,
    links::case_f06_a_link_lapses_when_it_says,
    links::case_f05_the_same_link_may_be_used_again,
    parts::case_f05_parts_become_one_object,
    parts::case_f03_an_upload_goes_on_after_its_first_part,
    parts::case_f03_a_client_that_dies_in_the_middle_leaves_nothing,
    parts::case_f03_an_abandoned_upload_is_gone,
    parts::parts_that_are_not_those_of_the_store_are_not_joined,
    content::a_long_object_is_read_slowly_and_whole,
    content::the_beginning_of_an_object_is_no_more_than_that,
    content::case_f05_what_is_empty_or_missing_is_told_apart,
    writing::case_f06_an_object_of_unknown_length_is_seen_when_it_is_finished,
    writing::an_object_that_is_given_up_was_never_there,
    erasure::an_erased_object_leaves_nothing_with_versions,
    erasure::an_erased_object_leaves_nothing_without_versions,
}
