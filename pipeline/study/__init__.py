"""What a study is: params.yaml, grids, trials and their keys, what a metric gets."""
