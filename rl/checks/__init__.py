"""Why a score may be believed: audits, self-tests of the verifiers, contamination, what was in force."""
