//! The wire contracts: generated messages, typed subjects, stream topology as data.
