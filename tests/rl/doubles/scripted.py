"""A judge whose verdicts are written beforehand, and a tokenizer that can be read."""

from concurrent.futures import Future


class ScriptedJudge:
    """Gives each task its verdicts in order; keeps what it was asked, and back what `holding` names."""

    def __init__(self, verdicts, holding=()):
        self.verdicts = {name: iter(script) for name, script in verdicts.items()}
        self.asked, self.held = [], {name: [] for name in holding}

    def submit(self, task, completion):
        self.asked.append((task, completion))
        future, verdict = Future(), next(self.verdicts[task.id])
        if task.id in self.held:
            self.held[task.id].append((future, verdict))
        else:
            future.set_result(verdict)
        return completion, future

    def release(self, name):
        for future, verdict in self.held.pop(name):
            future.set_result(verdict)

    def feedback(self, task, verdict):
        return f"No: {verdict.feedback}"


class Letters:
    """A tokenizer of one token a letter."""

    def __call__(self, text, add_special_tokens=False):
        return {"input_ids": [ord(letter) for letter in text]}

    def decode(self, ids, **_):
        return "".join(map(chr, ids))

    def apply_chat_template(self, messages, tokenize=False, add_generation_prompt=False):
        return "".join(f"<{m['role']}>{m['content']}\n" for m in messages) + "<assistant>" * add_generation_prompt
