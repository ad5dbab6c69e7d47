"""The verifiers in other people's loops: TRL's GRPO, PrimeIntellect's `verifiers`, UK AISI's inspect-ai.

Each adapter is a module of its own, and imports the library it adapts to when it is called:

    from proofgrad.verifiers.adapters.trl import reward_function
    from proofgrad.verifiers.adapters.prime import reward
    from proofgrad.verifiers.adapters.inspect_ai import proved

In all of them UNKNOWN keeps its meaning, in the words of that library: None, an error, a sample without a score.
"""
