//! Signal processing of responses: normalisation per run or session.
