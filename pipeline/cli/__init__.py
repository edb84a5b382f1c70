"""The command line: ``betabench run | plan | list | show | check | ui | doctor``, one module per command."""
