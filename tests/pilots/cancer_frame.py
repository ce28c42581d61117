# Data from sklearn.datasets as a frame; columns chosen by their correlation with the target; score only.

# %%
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer

# %%
cancer = load_breast_cancer(as_frame=True)
df = cancer.frame
df.head()

# %%
df.target.value_counts()

# %%
cor = df.corr()
cor_target = abs(cor['target'])
relevant_features = cor_target[cor_target > 0.6]
names = [index for index, value in relevant_features.items()]
names.remove('target')
print(names)

# %%
X = df[names].values
y = df['target'].values

# %%
from sklearn.model_selection import train_test_split
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=4)

# %%
from sklearn.preprocessing import StandardScaler
from sklearn.decomposition import PCA
scale = StandardScaler().fit(X_train)
X_train, X_test = scale.transform(X_train), scale.transform(X_test)
pca = PCA(n_components=4)
X_train = pca.fit_transform(X_train)
X_test = pca.transform(X_test)
pca.explained_variance_ratio_

# %%
from sklearn.linear_model import LogisticRegression
log_reg = LogisticRegression()
log_reg.fit(X_train, y_train)
log_reg.score(X_train, y_train)

# %%
log_reg.score(X_test, y_test)
