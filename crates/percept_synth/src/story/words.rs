//! The words of films, and the sentences that they stand in.

/// People; each title has four of them.
pub(super) const NAMES: &[&str] =
    &["mia", "ben", "ada", "leo", "nora", "sam", "ruth", "otto", "ivy", "max", "lena", "karl"];

/// Where scenes play, with the preposition.
pub(super) const SETTINGS: &[&str] = &[
    "in the kitchen",
    "in the park",
    "at the station",
    "in the library",
    "on the beach",
    "on the farm",
    "at the market",
    "in the garage",
    "in the school",
    "on the boat",
    "in the hospital",
    "on the roof",
    "in the forest",
    "in the office",
];
/// The same in other words, in the same order.
pub(super) const SETTINGS_AGAIN: &[&str] = &[
    "in a small kitchen",
    "among the trees of the park",
    "by the trains of the station",
    "between the books of the library",
    "by the sea on the sand",
    "near the animals of the farm",
    "between the stalls of the market",
    "next to the cars of the garage",
    "in a class room of the school",
    "on the deck of the boat",
    "by a bed of the hospital",
    "high up on the roof",
    "deep in the forest",
    "at a desk of the office",
];
/// When scenes play.
pub(super) const TIMES: &[&str] = &[
    "in the morning",
    "at noon",
    "in the evening",
    "at night",
    "before dawn",
    "on a rainy day",
    "in winter",
    "in summer",
];
/// The same in other words.
pub(super) const TIMES_AGAIN: &[&str] = &[
    "early in the day",
    "in the middle of the day",
    "when the sun goes down",
    "in the dark of the night",
    "while it is still dark",
    "in heavy rain",
    "on a cold day with snow",
    "on a hot day",
];

/// What is to be seen.
pub(super) const THINGS: &[&str] = &[
    "house",
    "tree",
    "car",
    "boat",
    "fish",
    "flower",
    "cup",
    "ball",
    "person",
    "butterfly",
    "dog",
    "cat",
    "horse",
    "bird",
    "table",
    "chair",
    "lamp",
    "window",
    "door",
    "bicycle",
    "bread",
    "apple",
    "knife",
    "bottle",
    "clock",
    "phone",
    "hat",
    "coat",
    "bed",
    "fire",
];
pub(super) const COLORS: &[&str] =
    &["red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white"];
pub(super) const SIZES: &[&str] = &["small", "large", "old", "new", "broken", "round"];
pub(super) const SPOTS: &[&str] =
    &["on the left", "on the right", "in the middle", "in front", "far away", "on the floor"];

/// What people want in a scene; `{treasure}` is what it is about.
pub(super) const AIMS: &[&str] = &[
    "find {treasure}",
    "hide {treasure}",
    "sell {treasure}",
    "repair {treasure}",
    "steal {treasure}",
    "return {treasure}",
];
pub(super) const AIMS_AGAIN: &[&str] = &[
    "look for {treasure} that was lost",
    "keep {treasure} a secret",
    "get money for {treasure}",
    "make {treasure} work again",
    "take {treasure} from its owner",
    "bring {treasure} back",
];
pub(super) const TREASURES: &[&str] = &[
    "the key",
    "the letter",
    "the map",
    "the ring",
    "the violin",
    "the photograph",
    "the money",
    "the radio",
    "the diary",
    "the painting",
];
pub(super) const ENDS: &[&str] = &["succeeds", "fails", "gives up", "is caught", "gets help", "changes plans"];
pub(super) const ENDS_AGAIN: &[&str] = &[
    "reaches the goal",
    "does not manage it",
    "stops trying",
    "is seen by somebody",
    "is helped by a friend",
    "decides to do something else",
];

/// What somebody does for some seconds, alone or to another.
pub(super) const DEEDS: &[&str] = &[
    "walks away",
    "runs to {other}",
    "hugs {other}",
    "shouts at {other}",
    "laughs with {other}",
    "cries alone",
    "sits down to rest",
    "opens a box",
    "reads a page",
    "writes a note",
    "cooks a meal",
    "sings a song",
    "dances with {other}",
    "falls to the ground",
    "wakes up",
    "falls asleep",
    "waits for {other}",
    "follows {other}",
    "fights with {other}",
    "thanks {other}",
];
/// The same in other words.
pub(super) const DEEDS_AGAIN: &[&str] = &[
    "leaves without a word",
    "hurries towards {other}",
    "holds {other} in both arms",
    "is angry and loud with {other}",
    "is happy together with {other}",
    "weeps where nobody sees it",
    "takes a seat because of tired legs",
    "looks into a box",
    "studies what is written",
    "puts words on paper",
    "prepares something to eat",
    "makes music with the voice",
    "moves to the music with {other}",
    "trips and lies on the ground",
    "gets out of bed",
    "closes both eyes and sleeps",
    "stands still until {other} comes",
    "goes behind {other} in secret",
    "pushes and hits {other}",
    "is grateful to {other}",
];

/// What people say; topics that need not be in the picture.
pub(super) const LINES: &[&str] = &[
    "do you remember the {topic}",
    "i never liked the {topic}",
    "we have to talk about the {topic}",
    "nobody told me about the {topic}",
    "the {topic} was a mistake",
    "i dreamed of the {topic} again",
    "my father always feared the {topic}",
    "what if the {topic} comes back",
    "the {topic} will make us rich",
    "please forget the {topic}",
    "they all believe in the {topic}",
    "you promised me a {topic}",
];
pub(super) const TOPICS: &[&str] = &[
    "war",
    "wedding",
    "exam",
    "storm",
    "doctor",
    "king",
    "election",
    "football game",
    "concert",
    "lawsuit",
    "baby",
    "ghost",
    "holiday",
    "job",
    "debt",
    "experiment",
    "trial",
    "funeral",
    "birthday",
    "dragon",
];
pub(super) const REPLIES: &[&str] = &[
    "yes of course",
    "no never",
    "i am not sure",
    "that is not true",
    "tell me more",
    "let us go",
    "i am sorry",
    "are you serious",
    "it is too late",
    "thank you",
    "be quiet",
    "why not",
];

/// Words of the sentences that [`super::sentences`] makes itself.
const OWN: &[&str] = &["a and tries to but with is near it plays this scene there can be seen one sees"];

/// Every word of films, once, in alphabetical order.
pub fn vocabulary() -> Vec<String> {
    let lists = [
        NAMES,
        SETTINGS,
        SETTINGS_AGAIN,
        TIMES,
        TIMES_AGAIN,
        THINGS,
        COLORS,
        SIZES,
        SPOTS,
        AIMS,
        AIMS_AGAIN,
        TREASURES,
        ENDS,
        ENDS_AGAIN,
        DEEDS,
        DEEDS_AGAIN,
        LINES,
        TOPICS,
        REPLIES,
        OWN,
    ];
    let words: std::collections::BTreeSet<&str> =
        lists.into_iter().flatten().flat_map(|text| text.split(' ')).filter(|word| !word.starts_with('{')).collect();
    words.into_iter().map(str::to_owned).collect()
}
