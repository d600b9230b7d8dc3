"""The trainer `trl`: SFT, DPO and KTO with LoRA by TRL, on any local model folder."""

from llmops.tasks.plugins.trainers import TrainedModel, TrainingData, TrainingRun
from llmops.tasks.plugins.trainers.trl.options import TrlOptions


class TrlTrainer(TrlOptions):
    """LoRA in the process. What is learnt follows from the format: `trl_sft` answers, `trl_dpo`
    which of two is better, `trl_kto` good and bad ones. Answers alone are trained on, each with the
    token that ends it; rows that have none are left out and counted.
    """

    def train(self, data: TrainingData, run: TrainingRun) -> TrainedModel:
        from llmops.tasks.plugins.trainers.trl.training import train

        return train(self, data, run)
