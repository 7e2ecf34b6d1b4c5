int progtc_placeholder();
