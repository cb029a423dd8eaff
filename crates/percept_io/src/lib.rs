//! Readers and writers for the files of the field; the only place that touches the disk.
