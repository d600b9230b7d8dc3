"""The trainer `trl`: SFT, DPO and KTO with LoRA by TRL, on any local model folder."""

from llmops.tasks.plugins.trainers import TrainedModel, TrainingData, TrainingRun
from llmops.tasks.plugins.trainers.trl.options import TrlOptions


class TrlTrainer(TrlOptions):
    """LoRA in the process. `model`: a folder with weights, tokenizer and chat template, or a name
    in the model hub. What is learnt follows from the format: `trl_sft` answers, `trl_dpo` which of
    two is better, `trl_kto` good and bad ones. Answers alone are trained on, each with the token
    that ends it; rows that have none are left out and counted.

    `max_tokens`: the longest row, in the model's tokens; the context of the model, else. What is
    longer is left out; with `over_long: split` parted between the turns of a conversation, each
    part with the system prompt. `learning_rate`: 2e-4, of pairs and ratings 1e-5.

    `modules_to_save`: modules that are trained whole, beside LoRA, such as embed_tokens and
    lm_head. `chat_template`: a file, where the folder has no template, or none that marks what the
    assistant says. `save_every`: steps between two checkpoints. `merge`: a folder of the whole
    model, which can be served; else the adapter alone. `threads`: of torch on the CPU.
    `parameters`: more of TRL's configuration.
    """

    def train(self, data: TrainingData, run: TrainingRun) -> TrainedModel:
        from llmops.tasks.plugins.trainers.trl.training import train

        return train(self, data, run)
