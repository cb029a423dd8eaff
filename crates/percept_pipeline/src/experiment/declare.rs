//! The macros by which sections and words of the experiment file are declared, each key and each word once.

/// Declares a section of the experiment file: a struct, its reading, and the facts of its keys.
///
/// Every key stands once, with its meaning as a doc comment, its type, its default and its limits (each element's, in a
/// list). Numbers without limits fail a test. A default that hangs on other keys is filled in before reading; `or "..."`
/// says so in the reference. Keys without a default stand in a block of their own, each with an example for the message that
/// misses it. `#[serde(...)]` attributes of a key are kept.
///
/// ```
/// percept_pipeline::section! {
///     /// How pictures are made.
///     pub struct Making {
///         /// Steps of the schedule.
///         steps: usize = 20, in 1..=10_000;
///         /// The seed of the noise.
///         seed: u64 = 1, in 0..=u64::MAX, or "`seed`";
///     }
/// }
/// percept_pipeline::section! {
///     /// Where data come from.
///     pub struct Source
///     requires {
///         /// The folder.
///         root: std::path::PathBuf, such as "/data";
///     }
///     defaults {
///         /// Which of them.
///         subject: usize = 1, in 1..=8;
///     }
/// }
/// use percept_pipeline::experiment::Section;
/// assert_eq!(Making::default().steps, 20);
/// assert_eq!(Source::KEYS[0].name, "root");
/// ```
#[macro_export]
macro_rules! section {
    ($(#[doc = $about:literal])* pub struct $name:ident { $($keys:tt)* }) => {
        $crate::section! { @declare [#[serde(default)]] $(#[doc = $about])* pub struct $name requires {} defaults { $($keys)* } }
        $crate::section! { @default $name { $($keys)* } }
    };
    ($(#[doc = $about:literal])* pub struct $name:ident requires { $($required:tt)* } defaults { $($keys:tt)* }) => {
        $crate::section! {
            @declare [] $(#[doc = $about])* pub struct $name requires { $($required)* } defaults { $($keys)* }
        }
    };
    (
        @declare [$($container:tt)*]
        $(#[doc = $about:literal])*
        pub struct $name:ident
        requires {
            $(
                $(#[doc = $needed_doc:literal])* $(#[serde($($needed_serde:tt)*)])*
                $needed:ident: $needed_type:ty $(, in $needed_limits:expr)?, such as $example:literal;
            )*
        }
        defaults {
            $(
                $(#[doc = $doc:literal])* $(#[serde($($serde:tt)*)])*
                $key:ident: $type:ty = $default:expr $(, in $limits:expr)? $(, or $note:literal)?;
            )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        $($container)*
        pub struct $name {
            $( $(#[doc = $needed_doc])* $(#[serde($($needed_serde)*)])* pub $needed: $needed_type, )*
            $( $(#[doc = $doc])* $(#[serde($($serde)*)])* pub $key: $type, )*
        }

        impl $crate::experiment::Section for $name {
            const DOC: &'static str = concat!($($about, "\n"),*);
            const KEYS: &'static [$crate::experiment::Key] = &[
                $($crate::experiment::Key {
                    name: stringify!($needed),
                    doc: concat!($($needed_doc, "\n"),*),
                    kind: <$needed_type as $crate::experiment::KeyType>::KIND,
                    default: None,
                    default_words: None,
                    limits: $crate::section!(@limits $needed_type $(, $needed_limits)?),
                    example: Some($example),
                },)*
                $($crate::experiment::Key {
                    name: stringify!($key),
                    doc: concat!($($doc, "\n"),*),
                    kind: <$type as $crate::experiment::KeyType>::KIND,
                    default: Some(|| {
                        let value: $type = $default;
                        $crate::experiment::default_value(&value)
                    }),
                    default_words: $crate::section!(@note $($note)?),
                    limits: $crate::section!(@limits $type $(, $limits)?),
                    example: None,
                },)*
            ];
        }

        impl $crate::experiment::KeyType for $name {
            type Number = ();
            const KIND: $crate::experiment::Kind =
                $crate::experiment::Kind::section(<$name as $crate::experiment::Section>::KEYS);
        }
    };
    (
        @default $name:ident {
            $(
                $(#[$($meta:tt)*])*
                $key:ident: $type:ty = $default:expr $(, in $limits:expr)? $(, or $note:literal)?;
            )*
        }
    ) => {
        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }
    };
    (@limits $type:ty) => { None };
    (@limits $type:ty, $limits:expr) => {
        Some(|| {
            let range: ::std::ops::RangeInclusive<<$type as $crate::experiment::KeyType>::Number> = $limits;
            $crate::experiment::Limits::from(range)
        })
    };
    (@note) => { None };
    (@note $note:literal) => { Some($note) };
}

/// Declares an enum whose variants are words of the experiment file, each word once.
///
/// ```
/// percept_pipeline::words! {
///     /// Which units a decoder reads.
///     pub enum Part {
///         /// The front half.
///         Front = "front",
///         /// The other.
///         Back = "back",
///     }
/// }
/// assert_eq!(Part::Front.name(), "front");
/// ```
#[macro_export]
macro_rules! words {
    (
        $(#[doc = $about:literal])*
        pub enum $name:ident { $( $(#[doc = $doc:literal])* $variant:ident = $word:literal, )+ }
    ) => {
        $(#[doc = $about])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ::serde::Serialize, ::serde::Deserialize,
        )]
        pub enum $name { $( $(#[doc = $doc])* #[serde(rename = $word)] $variant, )+ }

        impl $name {
            /// The word used for it everywhere.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl $crate::experiment::KeyType for $name {
            type Number = ();
            const KIND: $crate::experiment::Kind = $crate::experiment::Kind {
                words: &[$($crate::experiment::Word { name: $word, doc: concat!($($doc, "\n"),*) },)+],
                ..$crate::experiment::Kind::TEXT
            };
        }
    };
}
