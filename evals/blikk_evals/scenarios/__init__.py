"""The scenarios: data in TOML beside this file, and in the folder that `BLIKK_EVALS_PRIVATE` names."""

from blikk_evals.scenarios.loading import load_scenarios
from blikk_evals.scenarios.scenario import Earlier, Expects, PersonPlan, Scenario, WorldPlan, account_of, plain_account

__all__ = ["Earlier", "Expects", "PersonPlan", "Scenario", "WorldPlan", "account_of", "load_scenarios", "plain_account"]
