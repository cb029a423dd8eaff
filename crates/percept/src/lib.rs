//! percept: from recorded brain activity to what was seen, heard or meant.
