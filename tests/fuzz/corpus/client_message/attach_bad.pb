
sessions/../xýÿÿÿÿÿÿÿÿ