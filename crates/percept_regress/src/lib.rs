//! Ridge regression at brain scale with exact leave-one-group-out selection.
