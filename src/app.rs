//! Opens everything once, runs until told to stop.
