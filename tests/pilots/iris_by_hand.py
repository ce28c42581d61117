# Encoder, scaler and three models, each with its own names; a split by shuffled rows and slices, no train_test_split.

# %%
import numpy as np
import pandas as pd
from sklearn import datasets

# %%
iris = datasets.load_iris()
df = pd.DataFrame(data=np.c_[iris['data'], iris['target']], columns=iris['feature_names'] + ['target'])
df.head()

# %%
df['petal area'] = df['petal length (cm)'] * df['petal width (cm)']

# %%
np.random.seed(3)
df = df.sample(frac=1).reset_index(drop=True)

# %%
n = int(len(df) * 0.7)
train, test = df[:n], df[n:]
print(len(train), len(test))

# %%
cols = [c for c in df.columns if c != 'target']
X_train, y_train = train[cols], train['target']
X_test, y_test = test[cols], test['target']

# %%
from sklearn.tree import DecisionTreeClassifier
clf = DecisionTreeClassifier(max_depth=3, random_state=0)
clf.fit(X_train, y_train)

# %%
from sklearn.metrics import accuracy_score
accuracy_score(y_test, clf.predict(X_test))
