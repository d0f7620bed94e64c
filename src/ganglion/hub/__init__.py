"""The Hugging Face Hub: names of models, files of a model from there, one commit of files to there. Needs the extra `hub`."""
