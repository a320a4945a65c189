//! Every decision, pure: values and the time in, values out.
