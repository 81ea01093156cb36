"""Label-free prediction of mitochondria and DNA from transmitted light."""
